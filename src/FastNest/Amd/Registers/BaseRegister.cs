using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Registers;

/// <summary>The fields of registers that hold an address with a size, and of ring pointers.</summary>
internal static class BaseRegister
{
    /// <summary>The address of tables, rings and ranges.</summary>
    public static readonly BitField Address = Bits(51, 12);

    /// <summary>A ring's length as log2 of its entries: 8 to 15 are legal.</summary>
    public static readonly BitField RingLength = Bits(59, 56);

    /// <summary>The device table's size in units of 4 KiB, less one, for segment 0.</summary>
    public static readonly BitField TableSize = Bits(8, 0);

    /// <summary>The same for segments 1 to 7.</summary>
    public static readonly BitField SegmentSize = Bits(7, 0);

    /// <summary>A ring's head or tail as a byte offset.</summary>
    public static readonly BitField Pointer = Bits(18, 4);

    /// <summary>A pointer into the GA log, whose entries are 8 bytes.</summary>
    public static readonly BitField GALogPointer = Bits(15, 3);

    /// <summary>Exclusion range: it is in force.</summary>
    public static readonly BitField ExEn = Bit(0);

    /// <summary>Exclusion range: it holds for every device.</summary>
    public static readonly BitField Allow = Bit(1);

    /// <summary>Hardware event status: an event is held.</summary>
    public static readonly BitField HEV = Bit(0);

    /// <summary>Hardware event status: another was lost.</summary>
    public static readonly BitField HEO = Bit(1);
}
