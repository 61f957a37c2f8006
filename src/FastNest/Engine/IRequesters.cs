using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// What requests take with them where everything is known: the same for all of them, or not. Of each value, the first argument
/// is what it is if there is but one requester.
/// </summary>
internal interface IRequesters
{
    /// <summary>A group of lanes of <see cref="LaneBound"/>s, if they differ.</summary>
    static abstract TLanes Load<TLanes>(ref ulong bounds, int from)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>The tags of one stage.</summary>
    static abstract TLanes Tags<TLanes>(TLanes one, TLanes bounds, bool second)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>How far tags move what a cache holds; see <see cref="DirectCache.Spread"/>.</summary>
    static abstract TLanes Spread<TLanes>(TLanes one, TLanes tags)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>What pages must grant.</summary>
    static abstract TLanes Needs<TLanes>(TLanes one, TLanes bounds)
        where TLanes : struct, ILanes<TLanes>;

    /// <summary>What answers tell.</summary>
    static abstract TLanes Answers<TLanes>(TLanes one, TLanes bounds)
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
    public static TLanes Load<TLanes>(ref ulong bounds, int from)
        where TLanes : struct, ILanes<TLanes> => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tags<TLanes>(TLanes one, TLanes bounds, bool second)
        where TLanes : struct, ILanes<TLanes> => one;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Spread<TLanes>(TLanes one, TLanes tags)
        where TLanes : struct, ILanes<TLanes> => one;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Needs<TLanes>(TLanes one, TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => one;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Answers<TLanes>(TLanes one, TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => one;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<TLanes>(TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes> => TLanes.StorePairs(addresses, answers, ref results, from);

    public static ref ulong Places(ref ulong places, int from) => ref LaneCount.Numbers[from];
}

/// <summary>Each request has a requester of its own.</summary>
internal readonly struct ManyRequesters : IRequesters
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Load<TLanes>(ref ulong bounds, int from)
        where TLanes : struct, ILanes<TLanes> => TLanes.Load(in bounds, from);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tags<TLanes>(TLanes one, TLanes bounds, bool second)
        where TLanes : struct, ILanes<TLanes> => second ? LaneBound.SecondTags(bounds) : LaneBound.Tags(bounds);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Spread<TLanes>(TLanes one, TLanes tags)
        where TLanes : struct, ILanes<TLanes> => DirectCache.Spread(tags);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Needs<TLanes>(TLanes one, TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => LaneBound.Needs(bounds);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Answers<TLanes>(TLanes one, TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => LaneBound.Answers(bounds);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<TLanes>(TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes> => LaneAnswers.Write(LaneCount.All<TLanes>(), addresses, answers, ref places, from, ref results);

    public static ref ulong Places(ref ulong places, int from) => ref Unsafe.Add(ref places, from);
}
