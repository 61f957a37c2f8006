using System.Runtime.CompilerServices;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>How what requests take with them stands in <see cref="LaneRequests"/>: the same for all of them, or not.</summary>
internal interface IRequesters
{
    /// <summary>A group of lanes of a column.</summary>
    static abstract TLanes Load<TLanes>(ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Where in the batch a full group stands, if its requests stand side by side there; else -1.</summary>
    static abstract int Place<TLanes>(ref ulong places, int from)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Where in the batch the requests of any group stand.</summary>
    static abstract ref ulong Places(ref ulong places, int from);
}

/// <summary>All addresses of a batch are one requester's.</summary>
internal readonly struct OneRequester : IRequesters
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes> => TLanes.All(column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place<TLanes>(ref ulong places, int from)
        where TLanes : struct, ILanes<TLanes> => from;

    public static ref ulong Places(ref ulong places, int from) => ref LaneCount.Numbers[from];
}

/// <summary>Each request has a requester of its own.</summary>
internal readonly struct ManyRequesters : IRequesters
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(in column, from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Place<TLanes>(ref ulong places, int from)
        where TLanes : struct, ILanes<TLanes>
    {
        ulong first = Unsafe.Add(ref places, from);
        return Unsafe.Add(ref places, from + TLanes.Count - 1) - first == (ulong)TLanes.Count - 1 ? (int)first : -1;
    }

    public static ref ulong Places(ref ulong places, int from) => ref Unsafe.Add(ref places, from);
}
