using System.Buffers.Binary;

namespace FastNest.Memory;

/// <content>Loads, stores and block transfers by physical address.</content>
public sealed unsafe partial class GuestPhysicalSpace
{
    /// <summary>The sections of callers that hold none of their own; taken by compare-exchange for one access.</summary>
    private readonly GuestSections _guests;

    /// <summary>Makes an empty space.</summary>
    public GuestPhysicalSpace() => _guests = new GuestSections(Sections);

    /// <summary>Loads eight bytes, little-endian, in one atomic access.</summary>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="value">What stood there; 0 unless the status is <see cref="MemoryStatus.Ok"/>.</param>
    public MemoryStatus Load64(ulong address, out ulong value)
    {
        ReadSection section = _guests.Enter();
        bool done = TryLoad64(address, out value);
        section.Leave();
        return done ? MemoryStatus.Ok : Explain(address);
    }

    /// <summary>Stores eight bytes, little-endian, in one atomic access; earlier stores are visible before it.</summary>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="value">What to store.</param>
    public MemoryStatus Store64(ulong address, ulong value)
    {
        ReadSection section = _guests.Enter();
        bool done = TryStore64(address, value);
        section.Leave();
        return done ? MemoryStatus.Ok : Explain(address);
    }

    /// <summary>Replaces eight bytes in one atomic access if they hold what is expected.</summary>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="expected">What must stand there.</param>
    /// <param name="desired">What to put there.</param>
    /// <param name="seen">What stood there; the exchange was made when it equals <paramref name="expected"/>.</param>
    public MemoryStatus CompareExchange64(ulong address, ulong expected, ulong desired, out ulong seen)
    {
        ReadSection section = _guests.Enter();
        bool done = TryCompareExchange64(address, expected, desired, out seen);
        section.Leave();
        return done ? MemoryStatus.Ok : Explain(address);
    }

    /// <summary>
    /// Reads a block, which may cross regions and MMIO windows. Bytes are copied in no particular width: use
    /// <see cref="Load64"/> where atomicity matters.
    /// </summary>
    /// <param name="address">Any address.</param>
    /// <param name="destination">Filled from its start.</param>
    /// <param name="done">How many bytes were read before the status stopped it.</param>
    public MemoryStatus Read(ulong address, Span<byte> destination, out int done)
    {
        done = 0;
        while (done < destination.Length)
        {
            ulong at = address + (ulong)done;
            Span<byte> piece = destination.Slice(done, PieceLength(at, destination.Length - done));
            ReadSection section = _guests.Enter();
            Span<byte> memory = PageAt(at);
            if (!memory.IsEmpty)
            {
                memory[..piece.Length].CopyTo(piece);
            }

            section.Leave();
            if (memory.IsEmpty && !ReadWindow(at, piece, out MemoryStatus status))
            {
                return status;
            }

            done += piece.Length;
        }

        return MemoryStatus.Ok;
    }

    /// <summary>Writes a block, which may cross regions and MMIO windows; see <see cref="Read"/>.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="source">Taken from its start.</param>
    /// <param name="done">How many bytes were written before the status stopped it.</param>
    public MemoryStatus Write(ulong address, ReadOnlySpan<byte> source, out int done)
    {
        done = 0;
        while (done < source.Length)
        {
            ulong at = address + (ulong)done;
            ReadOnlySpan<byte> piece = source.Slice(done, PieceLength(at, source.Length - done));
            ReadSection section = _guests.Enter();
            Span<byte> memory = PageAt(at);
            if (!memory.IsEmpty)
            {
                piece.CopyTo(memory);
            }

            section.Leave();
            if (memory.IsEmpty && !WriteWindow(at, piece, out MemoryStatus status))
            {
                return status;
            }

            done += piece.Length;
        }

        return MemoryStatus.Ok;
    }

    /// <summary>Enters a section for several accesses of a caller that holds none of its own.</summary>
    internal SharedSection EnterShared() => new(_guests.Enter());

    // The Try forms are for callers inside a read section; they take none themselves.

    internal bool TryLoad64(ulong address, out ulong value)
    {
        byte* host = Map.Resolve(address);
        if (host is null || (address & 7) != 0)
        {
            value = 0;
            return false;
        }

        value = Volatile.Read(ref *(ulong*)host);
        return true;
    }

    internal bool TryStore64(ulong address, ulong value)
    {
        byte* host = Map.Resolve(address);
        if (host is null || (address & 7) != 0)
        {
            return false;
        }

        Volatile.Write(ref *(ulong*)host, value);
        return true;
    }

    internal bool TryCompareExchange64(ulong address, ulong expected, ulong desired, out ulong seen)
    {
        byte* host = Map.Resolve(address);
        if (host is null || (address & 7) != 0)
        {
            seen = 0;
            return false;
        }

        seen = Interlocked.CompareExchange(ref *(ulong*)host, desired, expected);
        return true;
    }

    /// <summary>The memory from an address to the end of its page; empty where there is none.</summary>
    internal Span<byte> PageAt(ulong address)
    {
        byte* host = Map.Resolve(address);
        return host is null ? [] : new(host, (int)(PageSize - (address & (PageSize - 1))));
    }

    /// <summary>How much of what remains lies in the page of an address.</summary>
    internal static int PieceLength(ulong address, int remaining) =>
        (int)Math.Min((ulong)remaining, PageSize - (address & (PageSize - 1)));

    /// <summary>The widest naturally aligned bus access of at most eight bytes.</summary>
    private static int BusWidth(ulong offset, int remaining)
    {
        int width = 8;
        while (width > remaining || (offset & (ulong)(width - 1)) != 0)
        {
            width /= 2;
        }

        return width;
    }

    private MemoryStatus Explain(ulong address) => (address & 7) != 0 ? MemoryStatus.Misaligned : Map.Classify(address);

    /// <summary>The window at an address; its number may have gone to another window since it was looked up.</summary>
    private MemoryRegion? Window(ulong address)
    {
        int number = Map.Window(address);
        MemoryRegion? region = number < 0 ? null : Volatile.Read(ref Volatile.Read(ref _windows)[number]);
        return region is not null && address >= region.Start && address < region.End ? region : null;
    }

    private bool ReadWindow(ulong address, Span<byte> piece, out MemoryStatus status)
    {
        if (Window(address) is not { } region)
        {
            status = Unreached(address);
            return false;
        }

        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        for (int done = 0; done < piece.Length;)
        {
            ulong offset = address - region.Start + (ulong)done;
            int width = BusWidth(offset, piece.Length - done);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, region.Window!.Read(offset, width));
            bytes[..width].CopyTo(piece[done..]);
            done += width;
        }

        status = MemoryStatus.Ok;
        return true;
    }

    private bool WriteWindow(ulong address, ReadOnlySpan<byte> piece, out MemoryStatus status)
    {
        if (Window(address) is not { } region)
        {
            status = Unreached(address);
            return false;
        }

        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        for (int done = 0; done < piece.Length;)
        {
            ulong offset = address - region.Start + (ulong)done;
            int width = BusWidth(offset, piece.Length - done);
            bytes.Clear();
            piece.Slice(done, width).CopyTo(bytes);
            region.Window!.Write(offset, width, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            done += width;
        }

        status = MemoryStatus.Ok;
        return true;
    }

    /// <summary>The status of an address that had neither RAM nor a window a moment ago.</summary>
    private static MemoryStatus Unreached(ulong address) =>
        address >> AddressBits != 0 ? MemoryStatus.BeyondAddressWidth : MemoryStatus.Hole;
}
