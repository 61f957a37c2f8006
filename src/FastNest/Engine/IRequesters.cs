using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>How what requests take with them stands in <see cref="LaneRequests"/>: the same for all of them, or not.</summary>
internal interface IRequesters
{
    /// <summary>A group of lanes of a column.</summary>
    /// <param name="first">What stands first in the column, in all lanes.</param>
    /// <param name="column">The column.</param>
    /// <param name="from">Where in it the group begins.</param>
    static abstract TLanes Load<TLanes>(TLanes first, ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>How far a group's tags move what a cache holds; see <see cref="DirectCache.Spread"/>.</summary>
    /// <param name="first">What the first tag gives, in all lanes.</param>
    /// <param name="tags">The group's tags.</param>
    static abstract TLanes Spread<TLanes>(TLanes first, TLanes tags)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Writes the answers of a full group.</summary>
    static abstract void Write<TLanes>(TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>Where in the batch the requests of any group stand.</summary>
    static abstract ref ulong Places(ref ulong places, int from);
}

/// <summary>All addresses of a batch are one requester's.</summary>
internal readonly struct OneRequester : IRequesters
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(TLanes first, ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes> => first;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Spread<TLanes>(TLanes first, TLanes tags)
        where TLanes : struct, ILanes<TLanes> => first;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<TLanes>(TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes> => TLanes.StorePairs(addresses, answers, ref results, from);

    public static ref ulong Places(ref ulong places, int from) => ref LaneCount.Numbers[from];
}

/// <summary>Each request has a requester of its own.</summary>
internal readonly struct ManyRequesters : IRequesters
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(TLanes first, ref ulong column, int from)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(in column, from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Spread<TLanes>(TLanes first, TLanes tags)
        where TLanes : struct, ILanes<TLanes> => DirectCache.Spread(tags);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<TLanes>(TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes> => LaneAnswers.Write(LaneCount.All<TLanes>(), addresses, answers, ref places, from, ref results);

    public static ref ulong Places(ref ulong places, int from) => ref Unsafe.Add(ref places, from);
}
