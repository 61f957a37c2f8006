namespace FastNest.Memory;

/// <summary>What stands behind a region of physical addresses.</summary>
public enum MemoryRegionKind
{
    /// <summary>Memory that the space allocated and frees.</summary>
    Owned,

    /// <summary>Memory that the embedder lent; it must stay valid until the release callback.</summary>
    Borrowed,

    /// <summary>An MMIO window.</summary>
    Mmio,
}

/// <summary>
/// A run of physical addresses with one backing. Its memory outlives its removal from the space for as long as pins
/// are held on it. All members may be used from any thread.
/// </summary>
public sealed class MemoryRegion
{
    private readonly Action _release;
    private int _references = 1;

    internal MemoryRegion(ulong start, ulong length, MemoryRegionKind kind, nint host, IMmioWindow? window, Action release)
    {
        Start = start;
        Length = length;
        Kind = kind;
        Host = host;
        Window = window;
        _release = release;
    }

    /// <summary>The first physical address, a multiple of 4096.</summary>
    public ulong Start { get; }

    /// <summary>The length in bytes, a multiple of 4096, not zero.</summary>
    public ulong Length { get; }

    /// <summary>What stands behind the addresses.</summary>
    public MemoryRegionKind Kind { get; }

    /// <summary>How many pins are held now.</summary>
    public int Pins => Math.Max(0, Volatile.Read(ref _references) - (IsMapped ? 1 : 0));

    /// <summary>Whether the region is still part of its space.</summary>
    public bool IsMapped { get; private set; } = true;

    /// <summary>The host address of the first byte; 0 for MMIO.</summary>
    internal nint Host { get; }

    internal IMmioWindow? Window { get; }

    internal ulong End => Start + Length;

    /// <summary>Keeps the backing memory valid until the pin is disposed, whatever happens to the region meanwhile.</summary>
    /// <returns>False, with a pin that holds nothing, when the memory has already been released.</returns>
    public bool TryPin(out MemoryPin? pin)
    {
        int references = Volatile.Read(ref _references);
        while (references > 0)
        {
            int seen = Interlocked.CompareExchange(ref _references, references + 1, references);
            if (seen == references)
            {
                pin = new MemoryPin(this);
                return true;
            }

            references = seen;
        }

        pin = null;
        return false;
    }

    /// <summary>A window on the memory of a mapped or pinned region, at most 1 GiB of it.</summary>
    internal unsafe Span<byte> Bytes(ulong offset, ulong length) =>
        new((byte*)Host + offset, (int)Math.Min(Math.Min(length, Length - offset), 1 << 30));

    internal void MarkUnmapped() => IsMapped = false;

    internal void Unreference()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            _release();
        }
    }
}
