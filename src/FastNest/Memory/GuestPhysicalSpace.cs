namespace FastNest.Memory;

/// <summary>
/// The physical memory of the modelled machine: 52-bit addresses over regions of owned memory, memory borrowed from the
/// embedder, MMIO windows and holes. The cost of an access does not grow with the number of regions. Every member may be
/// called from any thread; an address without memory gives a <see cref="MemoryStatus"/>, never an exception.
/// </summary>
public sealed partial class GuestPhysicalSpace : IDisposable
{
    /// <summary>The width of a physical address in bits.</summary>
    public const int AddressBits = PhysicalMap.AddressBits;

    /// <summary>The granule in which regions are mapped, in bytes.</summary>
    public const ulong PageSize = 1 << PhysicalMap.PageShift;

    private readonly Lock _layout = new();
    private readonly SortedList<ulong, MemoryRegion> _regions = [];
    private MemoryRegion?[] _windows = [];
    private PhysicalRun _largestRun = PhysicalRun.None;
    private bool _disposed;

    /// <summary>The regions mapped now, by ascending address.</summary>
    public IReadOnlyList<MemoryRegion> Regions
    {
        get
        {
            lock (_layout)
            {
                return [.. _regions.Values];
            }
        }
    }

    /// <summary>Where readers announce themselves so that nothing they may still touch is released.</summary>
    internal ReadSections Sections { get; } = new();

    internal PhysicalMap Map { get; } = new();

    /// <summary>The largest run of RAM, which a port looks at once per batch, inside its read section.</summary>
    internal PhysicalRun LargestRun => Volatile.Read(ref _largestRun);

    /// <summary>
    /// Maps zeroed memory that the space owns; it is committed as it is touched, in huge pages where the system grants them.
    /// </summary>
    /// <param name="start">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero; the end is at most 2^52.</param>
    /// <exception cref="MemoryMapException">A value is out of range, the range overlaps a region, or memory is short.</exception>
    public MemoryRegion AddOwned(ulong start, ulong length)
    {
        lock (_layout)
        {
            CheckRange(start, length);
            NativeBlock block;
            try
            {
                block = new NativeBlock(length);
            }
            catch (Exception exception) when (exception is OutOfMemoryException or OverflowException)
            {
                throw new MemoryMapException($"length 0x{length:x}: more memory than can be allocated", exception);
            }

            return Add(new MemoryRegion(start, length, MemoryRegionKind.Owned, block.Start, null, block.Dispose));
        }
    }

    /// <summary>Maps memory of the embedder.</summary>
    /// <param name="start">The first address, a multiple of 4096.</param>
    /// <param name="host">The first byte, a multiple of 8; readable and writable until <paramref name="released"/> is called.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero; the end is at most 2^52.</param>
    /// <param name="released">Called once, when the region is out of the space and no pin or reader is left.</param>
    /// <exception cref="MemoryMapException">
    /// A value is out of range or the range overlaps a region. With FASTNEST_FENCED=1 also: some of the memory is not there.
    /// </exception>
    public MemoryRegion AddBorrowed(ulong start, nint host, ulong length, Action? released = null)
    {
        if (host == 0 || host % sizeof(ulong) != 0)
        {
            throw new MemoryMapException($"host pointer 0x{host:x}: must not be null and must be a multiple of 8");
        }

        lock (_layout)
        {
            CheckRange(start, length);
            if (FencedMemory.IsAskedFor && !FencedMemory.IsAccessible(host, length))
            {
                throw new MemoryMapException($"host pointer 0x{host:x}: not all of 0x{length:x} bytes may be read and written");
            }

            return Add(new MemoryRegion(start, length, MemoryRegionKind.Borrowed, host, null, released ?? (static () => { })));
        }
    }

    /// <summary>Maps an MMIO window, reached by <see cref="Read"/> and <see cref="Write"/> but not by table walks.</summary>
    /// <param name="start">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero; the end is at most 2^52.</param>
    /// <param name="window">Answers the accesses.</param>
    /// <exception cref="MemoryMapException">A value is out of range or the range overlaps a region.</exception>
    public MemoryRegion AddMmio(ulong start, ulong length, IMmioWindow window)
    {
        ArgumentNullException.ThrowIfNull(window);
        lock (_layout)
        {
            CheckRange(start, length);
            return Add(new MemoryRegion(start, length, MemoryRegionKind.Mmio, 0, window, static () => { }));
        }
    }

    /// <summary>
    /// Takes a region out: from now on its addresses are a hole. Waits until accesses under way have ended; the memory is
    /// released then, or with its last pin. Neither this nor the mapping of a region may be called from within a batch.
    /// </summary>
    /// <exception cref="MemoryMapException">The region is not mapped in this space.</exception>
    public void Remove(MemoryRegion region)
    {
        ArgumentNullException.ThrowIfNull(region);
        lock (_layout)
        {
            if (!_regions.TryGetValue(region.Start, out MemoryRegion? mapped) || mapped != region)
            {
                throw new MemoryMapException($"region 0x{region.Start:x}: not mapped in this space");
            }

            _regions.Remove(region.Start);
            Map.Unmap(region.Start, region.Length);
            if (region.Kind == MemoryRegionKind.Mmio)
            {
                _windows[Array.IndexOf(_windows, region)] = null;
            }

            if (_largestRun.Start == region.Start)
            {
                FindLargestRun();
            }

            List<nint> unlinked = Map.Unlink(region.Start, region.Length);
            Sections.WaitForReaders();
            Map.Free(unlinked);
            region.MarkUnmapped();
        }

        region.Unreference();
    }

    /// <summary>The mapped region that holds an address, or null.</summary>
    public MemoryRegion? FindRegion(ulong address)
    {
        lock (_layout)
        {
            int above = FirstAbove(address);
            MemoryRegion? region = above == 0 ? null : _regions.Values[above - 1];
            return region is not null && address < region.End ? region : null;
        }
    }

    /// <summary>Removes every region. No access may be under way or follow.</summary>
    public void Dispose()
    {
        lock (_layout)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            foreach (MemoryRegion region in _regions.Values)
            {
                Map.Unmap(region.Start, region.Length);
                region.MarkUnmapped();
                region.Unreference();
            }

            _regions.Clear();
            Volatile.Write(ref _largestRun, PhysicalRun.None);
            _windows = [];
            Map.Dispose();
        }
    }

    private void FindLargestRun()
    {
        PhysicalRun largest = PhysicalRun.None;
        foreach (MemoryRegion region in _regions.Values)
        {
            if (region.Kind != MemoryRegionKind.Mmio && region.Length > largest.Length)
            {
                largest = new(region.Start, region.Length, region.Host);
            }
        }

        Volatile.Write(ref _largestRun, largest);
    }

    private void CheckRange(ulong start, ulong length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (start % PageSize != 0)
        {
            throw new MemoryMapException($"start 0x{start:x}: must be a multiple of {PageSize}");
        }

        if (length == 0 || length % PageSize != 0)
        {
            throw new MemoryMapException($"length 0x{length:x}: must be a multiple of {PageSize} and not zero");
        }

        const ulong limit = 1UL << AddressBits;
        if (start >= limit || length > limit - start)
        {
            throw new MemoryMapException($"range 0x{start:x}+0x{length:x}: ends beyond the {AddressBits}-bit limit 0x{limit:x}");
        }

        int above = FirstAbove(start);
        for (int i = Math.Max(0, above - 1); i <= above && i < _regions.Count; i++)
        {
            MemoryRegion region = _regions.Values[i];
            if (start < region.End && region.Start < start + length)
            {
                throw new MemoryMapException(
                    $"range 0x{start:x}+0x{length:x}: overlaps the region 0x{region.Start:x}+0x{region.Length:x}");
            }
        }
    }

    private int FirstAbove(ulong address)
    {
        IList<ulong> starts = _regions.Keys;
        int low = 0;
        int high = starts.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = starts[middle] <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private MemoryRegion Add(MemoryRegion region)
    {
        _regions.Add(region.Start, region);
        if (region.Kind == MemoryRegionKind.Mmio)
        {
            int free = Array.IndexOf(_windows, null);
            if (free < 0)
            {
                free = _windows.Length;
                Volatile.Write(ref _windows, [.. _windows, null]);
            }

            _windows[free] = region;
            Map.MapMmio(region.Start, region.Length, free);
        }
        else
        {
            Map.MapRam(region.Start, region.Length, region.Host);
            if (region.Length > _largestRun.Length)
            {
                Volatile.Write(ref _largestRun, new PhysicalRun(region.Start, region.Length, region.Host));
            }
        }

        return region;
    }
}
