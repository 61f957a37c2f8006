using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Formats;

/// <summary>
/// The AMD v1 (host) page-table entry (48882 section 2.2.3; Linux generic_pt/fmt/amdv1.h). Bits that neither table lists
/// as a field are reserved; those that hardware ignores are listed as Ignored.
/// </summary>
internal static class AmdV1Layout
{
    public static readonly BitField PR = Bit(0);
    public static readonly BitField Ignored4To1 = Bits(4, 1);
    public static readonly BitField A = Bit(5);
    public static readonly BitField D = Bit(6);
    public static readonly BitField Ignored8To7 = Bits(8, 7);
    public static readonly BitField NextLevel = Bits(11, 9);
    public static readonly BitField Address = Bits(51, 12);
    public static readonly BitField U = Bit(59);
    public static readonly BitField FC = Bit(60);
    public static readonly BitField IR = Bit(61);
    public static readonly BitField IW = Bit(62);
    public static readonly BitField Ignored63 = Bit(63);

    /// <summary>An entry that points to another table: NextLevel 1 to 6. Hardware ignores bit 6 here.</summary>
    public static readonly BitLayout Directory = new(
        "v1 PDE", 1, PR, Ignored4To1, A, D, Ignored8To7, NextLevel, Address, IR, IW, Ignored63);

    /// <summary>An entry that maps a page: NextLevel 0 or 7.</summary>
    public static readonly BitLayout Leaf = new(
        "v1 PTE", 1, PR, Ignored4To1, A, D, Ignored8To7, NextLevel, Address, U, FC, IR, IW, Ignored63);
}
