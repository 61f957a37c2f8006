using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Lanes;

namespace FastNest.Walks;

/// <summary>How many walks go side by side.</summary>
internal static class LaneCount
{
    /// <summary>At most.</summary>
    public const int Maximum = 256;

    /// <summary>What a column holds, with room for a last group of lanes that is not full.</summary>
    public const int Stride = Maximum + 8;

    /// <summary>0, 1, 2 and so on.</summary>
    public static readonly ulong[] Numbers = [.. Enumerable.Range(0, Stride).Select(static i => (ulong)i)];

    /// <summary>One bit for each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint All<TLanes>()
        where TLanes : struct, ILanes<TLanes> => (1u << TLanes.Count) - 1;

    /// <summary>One bit for each lane of a group that there is, if any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Live<TLanes>(int from, int count)
        where TLanes : struct, ILanes<TLanes>
    {
        uint all = All<TLanes>();
        int left = count - from;
        return left >= TLanes.Count ? all : all >> (TLanes.Count - Math.Max(left, 0));
    }

    /// <summary>One bit for the group of lanes that begins at a place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Group<TLanes>(int from)
        where TLanes : struct, ILanes<TLanes> => 1UL << (from / TLanes.Count);

    /// <summary>Where the first of some groups begins.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int First<TLanes>(ulong groups)
        where TLanes : struct, ILanes<TLanes> => BitOperations.TrailingZeroCount(groups) * TLanes.Count;
}
