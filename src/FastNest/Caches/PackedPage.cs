using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>
/// What stands below a granule of addresses, in 64 bits:
/// <code>
/// 63   52 51                 12 11     10        9        4 3      0
/// |  0   | address              | page | elsewhere | shift  | rights |
/// </code>
/// For a page, the output address of the granule asked for and log2 of the whole page's size; else the physical address of the
/// table of level 1, and whether that is elsewhere than in the largest run of memory.
/// </summary>
internal static class PackedPage
{
    public const ulong RightsMask = 15;
    public const int ShiftShift = 4;
    public const ulong ShiftMask = 0x3F;
    public const ulong IsPage = 1 << 11;
    public const ulong IsElsewhere = 1 << 10;
    public const ulong AddressMask = 0x000F_FFFF_FFFF_F000;

    public static ulong Of(ulong address, int shift, Access rights) =>
        (address & AddressMask) | IsPage | (ulong)shift << ShiftShift | (ulong)rights;

    public static int Shift(ulong page) => (int)(page >> ShiftShift & ShiftMask);
}
