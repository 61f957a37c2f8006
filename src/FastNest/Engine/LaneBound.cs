using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;

namespace FastNest.Engine;

/// <summary>
/// What a request takes with it to where everything is known, in 64 bits, so that a batch of many requesters has few columns:
/// <code>
/// 63        45 44          26 25 24 23    8 7         4 3    0
/// | tag       | second tag   |  0  | domain | permitted | needs |
/// </code>
/// </summary>
internal static class LaneBound
{
    private const int SecondShift = 64 - DirectCache.TagShift;
    private const int DomainShift = 8;
    private const int PermittedShift = 4;
    private const ulong TagMask = ulong.MaxValue << DirectCache.TagShift;

    /// <summary>Of what requests of a context take with them.</summary>
    /// <param name="needs">What pages must grant.</param>
    /// <param name="context">The context.</param>
    public static ulong Of(ulong needs, in LaneContext context) =>
        context.Tag
        | context.HostTag >> SecondShift
        | LaneAnswers.Domain(context.Answers) << DomainShift
        | (context.Answers & PackedPage.RightsMask) << PermittedShift
        | needs;

    /// <summary>The tags of the first stage if there is one, else of the second.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tags<TLanes>(TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => bounds & TLanes.All(TagMask);

    /// <summary>The tags of the second stage.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes SecondTags<TLanes>(TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => (bounds << SecondShift) & TLanes.All(TagMask);

    /// <summary>What pages must grant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Needs<TLanes>(TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => bounds & TLanes.All(PackedPage.RightsMask);

    /// <summary>What answers tell: see <see cref="LaneAnswers"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Answers<TLanes>(TLanes bounds)
        where TLanes : struct, ILanes<TLanes> => TLanes.OrAnd(
            TLanes.OrAnd(TLanes.All(LaneAnswers.Shifts), bounds >>> PermittedShift, TLanes.All(PackedPage.RightsMask)),
            bounds << (LaneAnswers.DomainShift - DomainShift),
            TLanes.All(LaneAnswers.DomainMask));

    /// <summary>The same of one request.</summary>
    public static ulong Tag(ulong bound) => bound & TagMask;

    /// <summary>The same of one request.</summary>
    public static ulong SecondTag(ulong bound) => bound << SecondShift & TagMask;

    /// <summary>The same of one request.</summary>
    public static ulong Need(ulong bound) => bound & PackedPage.RightsMask;

    /// <summary>The same of one request.</summary>
    public static ulong Answer(ulong bound) =>
        LaneAnswers.Shifts
        | (bound >> PermittedShift & PackedPage.RightsMask)
        | (bound << (LaneAnswers.DomainShift - DomainShift) & LaneAnswers.DomainMask);
}
