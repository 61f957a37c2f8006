using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Formats;

/// <summary>The AMD v2 (guest) page-table entry: the x86-64 long-mode entry (Linux generic_pt/fmt/x86_64.h).</summary>
internal static class AmdV2Layout
{
    public static readonly BitField P = Bit(0);
    public static readonly BitField RW = Bit(1);
    public static readonly BitField US = Bit(2);
    public static readonly BitField PWT = Bit(3);
    public static readonly BitField PCD = Bit(4);
    public static readonly BitField A = Bit(5);
    public static readonly BitField D = Bit(6);

    /// <summary>In a directory of level 2 or 3, that it is a leaf; in a 4 KiB leaf, a PAT bit; reserved above.</summary>
    public static readonly BitField PS = Bit(7);
    public static readonly BitField G = Bit(8);
    public static readonly BitField Available11To9 = Bits(11, 9);
    public static readonly BitField Address = Bits(51, 12);
    public static readonly BitField Address2M = Bits(51, 21);
    public static readonly BitField Address1G = Bits(51, 30);

    /// <summary>The PAT bit of a large leaf, the only low address bit that is not reserved there.</summary>
    public static readonly BitField LargePat = Bit(12);
    public static readonly BitField Available62To52 = Bits(62, 52);
    public static readonly BitField NX = Bit(63);

    /// <summary>An entry that points to a table, or maps 4 KiB.</summary>
    public static readonly BitLayout Entry = new(
        "v2 entry", 1, P, RW, US, PWT, PCD, A, D, PS, G, Available11To9, Address, Available62To52, NX);

    public static readonly BitLayout Leaf2M = new(
        "v2 2 MiB leaf", 1, P, RW, US, PWT, PCD, A, D, PS, G, Available11To9, LargePat, Address2M, Available62To52, NX);

    public static readonly BitLayout Leaf1G = new(
        "v2 1 GiB leaf", 1, P, RW, US, PWT, PCD, A, D, PS, G, Available11To9, LargePat, Address1G, Available62To52, NX);
}
