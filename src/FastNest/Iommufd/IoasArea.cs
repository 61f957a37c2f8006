using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>One mapping of an IOAS: some bytes of pages that it may share with others. Guarded by the lock of the IOAS.</summary>
/// <param name="iova">The first address.</param>
/// <param name="length">Bytes.</param>
/// <param name="pages">What is mapped.</param>
/// <param name="start">The first byte, counted from the start of the first page.</param>
/// <param name="rights">What devices and accesses may do.</param>
internal sealed class IoasArea(ulong iova, ulong length, MappedPages pages, ulong start, Access rights)
{
    public ulong Iova { get; } = iova;

    public ulong Length { get; } = length;

    public ulong Last => Iova + (Length - 1);

    public IovaRange Range => new(Iova, Last);

    public MappedPages Pages { get; } = pages;

    public ulong Start { get; } = start;

    public Access Rights { get; } = rights;

    /// <summary>Whether the call that makes the area is still at it: nothing but that call may touch it.</summary>
    public bool IsPlaceholder { get; set; } = true;

    /// <summary>How many domains hold the area's pages, and the call that makes it until it ends.</summary>
    public int Holds { get; set; }

    /// <summary>How many pins of accesses lie in the area.</summary>
    public int AccessPins { get; set; }

    /// <summary>How many hardware queues keep the area from being unmapped.</summary>
    public int Locks { get; set; }

    /// <summary>Whether an unmap waits for accesses to let go, so that none may begin.</summary>
    public bool RefusesAccess { get; set; }

    /// <summary>The byte of the pages that an address stands for.</summary>
    public ulong At(ulong address) => Start + (address - Iova);

    public bool IsAligned(ulong alignment) => ((Iova | Length | Start) & (alignment - 1)) == 0;
}
