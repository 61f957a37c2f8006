using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;
using FastNest.Requests;

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
    private const int DomainShift = 48;
    private const ulong DomainMask = 0xFFFFUL << DomainShift;

    /// <summary>What answers of a context tell.</summary>
    public static ulong Of(in TranslationContext context) =>
        (ulong)context.Domain << DomainShift
        | PackedPage.ShiftMask << PackedPage.ShiftShift
        | (ulong)(context.Host.Permissions & Access.All);

    /// <summary>One bit for each request whose needs a page grants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Granted<TLanes>(TLanes needs, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => TLanes.Equal(needs & ~pages, TLanes.All(0));

    /// <summary>The second halves of results.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Of<TLanes>(TLanes answers, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => answers & (pages | TLanes.All(DomainMask));
}
