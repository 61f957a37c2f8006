using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.DeviceTable;

/// <summary>An entry of a GCR3 table: the address of the next table, or of a PASID's guest table (digest section 4).</summary>
internal static class Gcr3Layout
{
    public static readonly BitField V = Bit(0);
    public static readonly BitField Address = Bits(51, 12);

    public static readonly BitLayout Layout = new("GCR3 entry", 1, V, Address);
}
