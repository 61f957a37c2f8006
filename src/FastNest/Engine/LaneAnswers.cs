using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// How the second half of a result is made of a <see cref="PackedPage"/>, by one mask:
/// <code>
/// 63        48 47                 12 11 10  9          4 3      0
/// | domain    |  0                  |  0  | all ones   | rights |
/// </code>
/// </summary>
internal static class LaneAnswers
{
    public const int DomainShift = 48;
    public const ulong DomainMask = 0xFFFFUL << DomainShift;

    /// <summary>What is told of a page's size, of every context.</summary>
    public const ulong Shifts = PackedPage.ShiftMask << PackedPage.ShiftShift;


    /// <summary>What answers of a context tell.</summary>
    public static ulong Of(in TranslationContext context) =>
        (ulong)context.Domain << DomainShift
        | Shifts
        | (ulong)(context.Host.Permissions & Access.All);

    /// <summary>The domain that answers tell.</summary>
    public static ulong Domain(ulong answers) => answers >> DomainShift;

    /// <summary>One bit for each request whose needs a page grants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Granted<TLanes>(TLanes needs, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => TLanes.Equal(needs & ~pages, TLanes.All(0));

    /// <summary>The second halves of results.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Of<TLanes>(TLanes answers, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => TLanes.AndOr(answers, pages, TLanes.All(DomainMask));

    /// <summary>What both stages together grant where their pages are equal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Combine<TLanes>(bool readExecutes, TLanes first, TLanes second)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes rights = first;
        if (readExecutes)
        {
            TLanes execute = TLanes.All((ulong)Access.Execute);
            rights = TLanes.Blend(execute, first << 2, first);
        }

        return TLanes.AndOr(second, rights, TLanes.All(~PackedPage.RightsMask));
    }

    /// <summary>What both stages together grant: the rights of both, the smaller page.</summary>
    /// <param name="readExecutes">Whether what can be read of the first stage can be fetched.</param>
    /// <param name="first">Pages of the first stage.</param>
    /// <param name="second">Pages of the second.</param>
    /// <param name="larger">The lanes whose page of the first stage is the larger one.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Combine<TLanes>(bool readExecutes, TLanes first, TLanes second, out uint larger)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes shift = TLanes.All(Shifts);
        TLanes page = Combine(readExecutes, first, second);
        larger = 0;
        if (TLanes.Equal(first & shift, second & shift) != LaneCount.All<TLanes>())
        {
            larger = TLanes.Less(second & shift, first & shift);
            page = (page & ~shift) | TLanes.Select(larger, second & shift, first & shift);
        }

        return page;
    }

    /// <summary>Writes the answers of some of a group, at once where it is full and its places stand side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<TLanes>(uint bits, TLanes addresses, TLanes answers, ref ulong places, int from, ref ulong results)
        where TLanes : struct, ILanes<TLanes>
    {
        var first = (uint)Unsafe.Add(ref places, from);
        if (bits == LaneCount.All<TLanes>() && (uint)Unsafe.Add(ref places, from + TLanes.Count - 1) - first == (uint)TLanes.Count - 1)
        {
            TLanes.StorePairs(addresses, answers, ref results, (int)first);
            return;
        }

        WriteSome(bits, addresses, answers, ref Unsafe.Add(ref places, from), ref results);
    }

    /// <summary>Writes the answers of some of a group, one by one.</summary>
    public static void WriteSome<TLanes>(uint bits, TLanes addresses, TLanes answers, ref ulong places, ref ulong results)
        where TLanes : struct, ILanes<TLanes>
    {
        Span<ulong> pairs = stackalloc ulong[16];
        TLanes.StorePairs(addresses, answers, ref pairs[0], 0);
        for (; bits != 0; bits &= bits - 1)
        {
            int lane = BitOperations.TrailingZeroCount(bits);
            ref ulong result = ref Unsafe.Add(ref results, (int)Unsafe.Add(ref places, lane) * 2);
            result = pairs[lane * 2];
            Unsafe.Add(ref result, 1) = pairs[lane * 2 + 1];
        }
    }
}
