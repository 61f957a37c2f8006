using FastNest.Iommufd;
using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>
/// A VM's physical memory: the mappings of an IOAS of its own, and the VM's processor that loads and stores there. Of the host's
/// thread, but for what is said to be of any.
/// </summary>
/// <param name="memory">The machine's memory.</param>
/// <param name="ioas">The VM's physical addresses.</param>
internal sealed class GuestMemory(GuestPhysicalSpace memory, Ioas ioas)
{
    private const IoasMapOptions Options = IoasMapOptions.FixedIova | IoasMapOptions.Readable | IoasMapOptions.Writeable;

    private readonly List<GuestArea> _areas = [];
    private long _epoch;

    /// <summary>The VM's physical addresses, as the nest parent has them.</summary>
    public Ioas Ioas => ioas;

    /// <summary>Odd while an area is on its way from one place to another, and another number afterwards. Any thread may ask.</summary>
    public long Epoch => Volatile.Read(ref _epoch);

    /// <summary>Adds memory to the VM.</summary>
    /// <param name="start">The VM's address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096.</param>
    /// <param name="place">The host's memory for it.</param>
    /// <exception cref="IommufdException">As <see cref="Ioas.Map"/>.</exception>
    public GuestArea Add(ulong start, ulong length, ulong place)
    {
        var area = new GuestArea(start, length, place);
        Map(area, place);
        _areas.Add(area);
        return area;
    }

    /// <summary>Lets the host's tables lead from an area to a place.</summary>
    public void Map(GuestArea area, ulong place) => ioas.Map(Options, VmHost.User + place, area.Length, area.Start);

    /// <summary>Lets them lead nowhere; devices reach nothing there when this returns.</summary>
    public void Unmap(GuestArea area) => ioas.Unmap(area.Start, area.Length);

    /// <summary>An area begins to move, or has arrived: nothing that is found out meanwhile counts.</summary>
    public void Turn() => Interlocked.Increment(ref _epoch);

    /// <summary>Loads eight bytes as the VM's processor does.</summary>
    /// <returns>False, and zero, where the VM has no memory.</returns>
    public bool TryLoad(ulong address, out ulong value)
    {
        value = 0;
        return TryPlace(address, out ulong physical) && memory.Load64(physical, out value) == MemoryStatus.Ok;
    }

    /// <summary>Stores eight bytes as the VM's processor does.</summary>
    /// <returns>False where the VM has no memory.</returns>
    public bool TryStore(ulong address, ulong value) =>
        TryPlace(address, out ulong physical) && memory.Store64(physical, value) == MemoryStatus.Ok;

    /// <summary>Loads from where the VM is known to have memory.</summary>
    public ulong Load(ulong address) => TryLoad(address, out ulong value) ? value : throw NoMemory(address);

    /// <summary>Stores to where the VM is known to have memory.</summary>
    public void Store(ulong address, ulong value)
    {
        if (!TryStore(address, value))
        {
            throw NoMemory(address);
        }
    }

    /// <summary>Stores many bytes.</summary>
    public void Write(ulong address, ReadOnlySpan<byte> content)
    {
        if (!TryPlace(address, out ulong physical) || memory.Write(physical, content, out _) != MemoryStatus.Ok)
        {
            throw NoMemory(address);
        }
    }

    private static InvalidOperationException NoMemory(ulong address) => new($"the VM has no memory at 0x{address:x}");

    private bool TryPlace(ulong address, out ulong physical)
    {
        foreach (GuestArea area in _areas)
        {
            if (area.Contains(address))
            {
                physical = area.Place + (address - area.Start);
                return true;
            }
        }

        physical = 0;
        return false;
    }
}
