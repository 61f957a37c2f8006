using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// What a request needs of a page, and what of a <see cref="PackedPage"/> its answer tells: the second halves of results are
/// made by one mask.
/// <code>
/// 63        48 47                 12 11 10  9          4 3      0
/// | domain    |  0                  |  0  | all ones   | rights |
/// </code>
/// </summary>
internal static class LaneAttributes
{
    private const int DomainShift = 48;
    private const ulong DomainMask = 0xFFFFUL << DomainShift;

    /// <summary>What the answer tells.</summary>
    public static ulong Answers(in TranslationContext context) =>
        (ulong)context.Domain << DomainShift
        | PackedPage.ShiftMask << PackedPage.ShiftShift
        | (ulong)(context.Host.Permissions & Access.All);

    /// <summary>What a page must grant.</summary>
    /// <returns>False when the context alone refuses it.</returns>
    public static bool TryNeeds(in TranslationRequest request, in TranslationContext context, out ulong needs)
    {
        Access rights = request.Access;
        if (context.Mode == ContextMode.Nested)
        {
            rights |= (rights & Access.Execute) != 0 ? Access.Read : Access.None;
            rights |= context.Guest.EnforcesUser && !request.Privileged ? StageRights.User : Access.None;
        }

        needs = (ulong)rights;
        return (rights & ~context.Host.Permissions) == 0;
    }

    public static ushort Domain(ulong answers) => (ushort)(answers >> DomainShift);

    /// <summary>One bit for each request whose needs a page grants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Granted<TLanes>(TLanes needs, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => TLanes.Equal(needs & ~pages, TLanes.All(0));

    /// <summary>The second halves of results.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Answer<TLanes>(TLanes answers, TLanes pages)
        where TLanes : struct, ILanes<TLanes> => answers & (pages | TLanes.All(DomainMask));
}
