using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// What a request needs and what its context permits, in 64 bits beside its address:
/// <code>
/// 63        48 47  36 35   16 15 13 12          11       8 7       4 3      0
/// | domain    |  0   | PASID |  0  | read means | reported | permits | needs |
/// |           |      |       |     | execute    | rights   |         |       |
/// </code>
/// </summary>
internal static class LaneAttributes
{
    private const int PermitsShift = 4;
    private const int ReportedShift = 8;
    private const int ReadExecutesShift = 12;
    private const int PasidShift = 16;
    private const int DomainShift = 48;
    private const ulong Rights = 15;
    private const int ResultShiftShift = 16;
    private const int ResultPermissionsShift = 24;
    private const int PageShiftShift = 4;
    private const ulong PageShiftBits = 0x3F;

    public static ulong Of(in TranslationRequest request, in TranslationContext context)
    {
        Access needs = request.Access;
        bool readExecutes = false;
        if (context.Mode == ContextMode.Nested)
        {
            readExecutes = !context.Guest.EnforcesExecute;
            if ((needs & Access.Execute) != 0)
            {
                needs = (readExecutes ? needs & Access.ReadWrite : needs) | Access.Read;
            }

            needs |= context.Guest.EnforcesUser && !request.Privileged ? StageRights.User : Access.None;
        }

        return (ulong)needs
            | (ulong)context.Host.Permissions << PermitsShift
            | (ulong)(readExecutes ? Access.ReadWrite : Access.All) << ReportedShift
            | (readExecutes ? 1UL : 0) << ReadExecutesShift
            | (ulong)request.Pasid << PasidShift
            | (ulong)context.Domain << DomainShift;
    }

    public static ushort Domain(ulong attributes) => (ushort)(attributes >> DomainShift);

    public static uint Pasid(ulong attributes) => (uint)(attributes >> PasidShift) & ((1u << TranslationRequest.PasidBits) - 1);

    /// <summary>Judges pages against requests.</summary>
    /// <param name="attributes">The requests.</param>
    /// <param name="pages">The pages: see <see cref="PackedPage"/>.</param>
    /// <param name="granted">One bit for each request that is granted.</param>
    /// <returns>The second halves of their results.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Judge<TLanes>(TLanes attributes, TLanes pages, out uint granted)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes mask = TLanes.All(Rights);
        TLanes rights = pages & (attributes >>> PermitsShift) & mask;
        granted = TLanes.Equal(attributes & ~rights & mask, TLanes.All(0));
        TLanes executes = (rights & (attributes >>> ReadExecutesShift) & TLanes.All(1)) << 2;
        TLanes reported = (rights & (attributes >>> ReportedShift)) | executes;
        return (reported << ResultPermissionsShift)
            | ((pages & TLanes.All(PageShiftBits << PageShiftShift)) << (ResultShiftShift - PageShiftShift))
            | (attributes & TLanes.All(0xFFFFUL << DomainShift));
    }

    /// <summary>One bit for each request whose context lets it read where the pages do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint MayRead<TLanes>(TLanes pages)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes read = TLanes.All((ulong)Access.Read);
        return TLanes.Equal(pages & read, read);
    }
}
