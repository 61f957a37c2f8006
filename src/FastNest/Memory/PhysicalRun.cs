using System.Runtime.CompilerServices;
using FastNest.Lanes;

namespace FastNest.Memory;

/// <summary>
/// A run of RAM that stands in host memory in one piece: where most tables are, so that many addresses become pointers by one
/// comparison and one addition. Good inside the read section in which it was taken from the space.
/// </summary>
internal sealed class PhysicalRun(ulong start, ulong length, nint host)
{
    public static readonly PhysicalRun None = new(0, 0, 0);

    private readonly ulong _offset = (ulong)host - start;

    public ulong Start => start;

    public ulong Length => length;

    /// <summary>The pointers of addresses, and one bit for each that is in the run; the others mean nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes Resolve<TLanes>(TLanes addresses, out uint inside)
        where TLanes : struct, ILanes<TLanes>
    {
        inside = TLanes.Less(addresses - TLanes.All(start), TLanes.All(length));
        return addresses + TLanes.All(_offset);
    }

    /// <summary>The pointers of addresses that are known to be in the run; others mean nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes Resolve<TLanes>(TLanes addresses)
        where TLanes : struct, ILanes<TLanes> => addresses + TLanes.All(_offset);

    /// <summary>Whether a page is in the run.</summary>
    public bool Contains(ulong page) => page - start < length;
}
