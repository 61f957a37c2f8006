using FastNest.Cli.Captures;
using FastNest.Memory;

namespace FastNest.Cli.Replays;

/// <summary>
/// Adds the memory that a driver replay needs and a capture need not hold: the rings that the driver sets up, and the places
/// to which commands store.
/// </summary>
internal sealed class DriverMemory
{
    private const ulong AddressLimit = 1UL << GuestPhysicalSpace.AddressBits;

    private readonly SortedSet<ulong> _pages = [];
    private readonly Dictionary<ulong, ulong> _bases = DriverRegister.Bases.ToDictionary(offset => offset, _ => 0UL);

    private DriverMemory()
    {
    }

    public static void Complete(GuestPhysicalSpace space, IReadOnlyList<TraceStep> trace)
    {
        var needed = new DriverMemory();
        foreach (TraceStep step in trace)
        {
            needed.Follow(step);
        }

        needed.AddRings();
        needed.AddTo(space);
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

    private void AddTo(GuestPhysicalSpace space)
    {
        ulong start = 0;
        ulong length = 0;
        foreach (ulong page in _pages.Where(page => space.FindRegion(page) is null).ToList())
        {
            if (length != 0 && page == start + length)
            {
                length += GuestPhysicalSpace.PageSize;
                continue;
            }

            AddRun(space, start, length);
            (start, length) = (page, GuestPhysicalSpace.PageSize);
        }

        AddRun(space, start, length);
    }

    private static void AddRun(GuestPhysicalSpace space, ulong start, ulong length)
    {
        if (length == 0)
        {
            return;
        }

        try
        {
            space.AddOwned(start, length);
        }
        catch (MemoryMapException exception)
        {
            throw new CaptureException($"mmio.jsonl: expected rings for which there is memory: {exception.Message}", exception);
        }
    }
}
