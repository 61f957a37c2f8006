using System.Buffers.Binary;
using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>
/// Memory whose changes are recorded: those made through here, and those that <see cref="Changed"/> is told of. Any thread may
/// call, but not from within a batch.
/// </summary>
public sealed class RecordedSpace
{
    private readonly RecordedMachine _machine;

    internal RecordedSpace(RecordedMachine machine, GuestPhysicalSpace inner)
    {
        _machine = machine;
        Inner = inner;
        foreach (MemoryRegion region in inner.Regions)
        {
            Record(region);
        }
    }

    /// <summary>The memory itself, to read; what is changed there directly is recorded when <see cref="Changed"/> is told.</summary>
    public GuestPhysicalSpace Inner { get; }

    /// <summary>As <see cref="GuestPhysicalSpace.AddOwned"/>.</summary>
    public MemoryRegion AddOwned(ulong start, ulong length)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        return Record(Inner.AddOwned(start, length));
    }

    /// <summary>As <see cref="GuestPhysicalSpace.AddBorrowed"/>; what the memory holds is recorded.</summary>
    public MemoryRegion AddBorrowed(ulong start, nint host, ulong length, Action? released = null)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        return Record(Inner.AddBorrowed(start, host, length, released));
    }

    /// <summary>As <see cref="GuestPhysicalSpace.AddMmio"/>; what the window does is recorded where it does it through the recorded machine.</summary>
    public MemoryRegion AddMmio(ulong start, ulong length, IMmioWindow window)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        return Record(Inner.AddMmio(start, length, window));
    }

    /// <summary>As <see cref="GuestPhysicalSpace.Remove"/>.</summary>
    public void Remove(MemoryRegion region)
    {
        ArgumentNullException.ThrowIfNull(region);
        using RecordedMachine.Operation operation = _machine.Begin();
        Inner.Remove(region);
        _machine.Record(new RegionRemoved(region.Start));
    }

    /// <summary>As <see cref="GuestPhysicalSpace.Store64"/>.</summary>
    public MemoryStatus Store64(ulong address, ulong value)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        MemoryStatus status = Inner.Store64(address, value);
        if (status == MemoryStatus.Ok)
        {
            Record(address, value);
        }

        return status;
    }

    /// <summary>As <see cref="GuestPhysicalSpace.CompareExchange64"/>.</summary>
    public MemoryStatus CompareExchange64(ulong address, ulong expected, ulong desired, out ulong seen)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        MemoryStatus status = Inner.CompareExchange64(address, expected, desired, out seen);
        if (status == MemoryStatus.Ok && seen == expected)
        {
            Record(address, desired);
        }

        return status;
    }

    /// <summary>As <see cref="GuestPhysicalSpace.Write"/>; what goes to windows is no change of memory.</summary>
    public MemoryStatus Write(ulong address, ReadOnlySpan<byte> source, out int done)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        for (done = 0; done < source.Length;)
        {
            ulong at = address + (ulong)done;
            ReadOnlySpan<byte> piece = source.Slice(done, GuestPhysicalSpace.PieceLength(at, source.Length - done));
            MemoryStatus status = Inner.Write(at, piece, out int written);
            if (written != 0 && Inner.FindRegion(at)?.Kind is not MemoryRegionKind.Mmio)
            {
                _machine.RecordMemory(at, piece[..written]);
            }

            done += written;
            if (status != MemoryStatus.Ok)
            {
                return status;
            }
        }

        return MemoryStatus.Ok;
    }

    /// <summary>
    /// Tells that memory was changed past this wrapper, by a simulated processor's own stores for instance: what it holds now is
    /// recorded. To be called before the IOMMU can see the change.
    /// </summary>
    /// <param name="address">The first address.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>Why not all of it was recorded, if so.</returns>
    public MemoryStatus Changed(ulong address, ulong length)
    {
        Span<byte> bytes = stackalloc byte[(int)GuestPhysicalSpace.PageSize];
        using RecordedMachine.Operation operation = _machine.Begin();
        while (length > 0)
        {
            Span<byte> piece = bytes[..(int)Math.Min(length, GuestPhysicalSpace.PageSize - address % GuestPhysicalSpace.PageSize)];
            if (Inner.FindRegion(address) is not { Kind: not MemoryRegionKind.Mmio })
            {
                return Inner.FindRegion(address) is null ? MemoryStatus.Hole : MemoryStatus.Mmio;
            }

            MemoryStatus status = Inner.Read(address, piece, out int done);
            _machine.RecordMemory(address, piece[..done]);
            if (status != MemoryStatus.Ok)
            {
                return status;
            }

            address += (ulong)done;
            length -= (ulong)done;
        }

        return MemoryStatus.Ok;
    }

    private void Record(ulong address, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        _machine.RecordMemory(address, bytes);
    }

    private MemoryRegion Record(MemoryRegion region)
    {
        bool isMmio = region.Kind == MemoryRegionKind.Mmio;
        _machine.Record(new RegionAdded(region.Start, region.Length, isMmio));
        Span<byte> page = stackalloc byte[(int)GuestPhysicalSpace.PageSize];
        for (ulong at = region.Start; !isMmio && at < region.End; at += GuestPhysicalSpace.PageSize)
        {
            Inner.Read(at, page, out _);
            int first = page.IndexOfAnyExcept((byte)0);
            if (first >= 0)
            {
                first &= ~(sizeof(ulong) - 1);
                int end = (page.LastIndexOfAnyExcept((byte)0) | (sizeof(ulong) - 1)) + 1;
                _machine.RecordMemory(at + (ulong)first, page[first..end]);
            }
        }

        return region;
    }
}
