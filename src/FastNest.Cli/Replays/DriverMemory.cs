using FastNest.Cli.Captures;
using FastNest.Memory;

namespace FastNest.Cli.Replays;

/// <summary>
/// The memory that a driver replay needs and a capture need not hold: the rings that the driver sets up, and the places to which
/// commands store.
/// </summary>
internal sealed class DriverMemory
{
    private const ulong AddressLimit = 1UL << GuestPhysicalSpace.AddressBits;

    private readonly SortedSet<ulong> _pages = [];
    private readonly Dictionary<ulong, ulong> _bases = DriverRegister.Bases.ToDictionary(offset => offset, _ => 0UL);

    /// <param name="trace">What the driver did.</param>
    public DriverMemory(IReadOnlyList<TraceStep> trace)
    {
        foreach (TraceStep step in trace)
        {
            Follow(step);
        }

        AddRings();
    }

    /// <summary>All of it, in ascending order.</summary>
    public IReadOnlyList<DriverRun> Runs => RunsOf(_pages);

    /// <summary>What a base register held at last.</summary>
    /// <param name="register">One of <see cref="DriverRegister.Bases"/>.</param>
    public ulong Base(ulong register) => _bases[register];

    /// <summary>Adds to a machine what it has not.</summary>
    /// <exception cref="CaptureException">The machine cannot have it.</exception>
    public void Complete(GuestPhysicalSpace space)
    {
        foreach (DriverRun run in RunsOf(_pages.Where(page => space.FindRegion(page) is null)))
        {
            try
            {
                space.AddOwned(run.Start, run.Length);
            }
            catch (MemoryMapException exception)
            {
                throw new CaptureException($"mmio.jsonl: expected rings for which there is memory: {exception.Message}", exception);
            }
        }
    }

    private static List<DriverRun> RunsOf(IEnumerable<ulong> pages)
    {
        List<DriverRun> runs = [];
        foreach (ulong page in pages)
        {
            if (runs is [.., var last] && page == last.Start + last.Length)
            {
                runs[^1] = last with { Length = last.Length + GuestPhysicalSpace.PageSize };
            }
            else
            {
                runs.Add(new(page, GuestPhysicalSpace.PageSize));
            }
        }

        return runs;
    }

    private void Follow(TraceStep step)
    {
        MmioAccess access = step.Access;
        if (access.IsWrite && _bases.TryGetValue(access.Offset & ~7UL, out ulong value))
        {
            int shift = (int)(access.Offset % 8) * 8;
            ulong lanes = ulong.MaxValue >> (64 - access.Size * 8) << shift;
            _bases[access.Offset & ~7UL] = (value & ~lanes) | (access.Value << shift);
        }
        else if (access.IsWrite && access.Offset == DriverRegister.Control)
        {
            // Not at every base write: between its two halves a base is no ring.
            AddRings();
        }

        foreach (RecordedCommand command in step.Commands)
        {
            if (command.Bytes.Store is { } store)
            {
                Add(store, sizeof(ulong));
            }
        }
    }

    private void AddRings()
    {
        foreach (ulong value in _bases.Values)
        {
            Add(DriverRegister.RingAddress(value), DriverRegister.RingLength(value));
        }
    }

    private void Add(ulong address, ulong length)
    {
        for (ulong at = address & ~(GuestPhysicalSpace.PageSize - 1);
             at < address + length && at < AddressLimit;
             at += GuestPhysicalSpace.PageSize)
        {
            _pages.Add(at);
        }
    }
}
