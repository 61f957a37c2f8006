using FastNest.Reference.Registers;

namespace FastNest.Reference.Rings;

/// <summary>Which commands and which of their bits are legal (section 6): every bit that is not listed is reserved.</summary>
internal static class CommandRules
{
    public const int CompletionWait = 1;
    public const int InvalidateDeviceTableEntry = 2;
    public const int InvalidatePages = 3;
    public const int CompletePpr = 7;
    public const int InvalidateDevice = 4;
    public const int InvalidateAll = 8;
    public const int InsertGuestEvent = 9;
    public const int ResetVmmio = 10;

    public static int Opcode(ulong low) => (int)Bits.Field(low, 63, 60);

    // reading 46
    public static bool IsLegal(ulong low, ulong high, Features f)
    {
        int opcode = Opcode(low);
        if (!IsOffered(opcode, f))
            return false;
        ulong lowAllowed = AllowedLow(opcode) | Bits.Mask(63, 60);
        return (low & ~lowAllowed) == 0 && (high & ~AllowedHigh(opcode, f)) == 0;
    }

    private static bool IsOffered(int opcode, Features f) => opcode switch
    {
        1 or 2 or 3 or 4 or 5 => true,
        6 => f.PreFSup,
        7 => f.PprSup,
        8 => f.IASup,
        9 or 10 => f.VIommuSup,
        _ => false,
    };

    private static ulong AllowedLow(int opcode) => opcode switch
    {
        1 => Bits.Mask(51, 0),                                    // S, I, F, store address
        2 or 5 => Bits.Mask(15, 0),                               // device
        3 => Bits.Mask(19, 0) | Bits.Mask(47, 32),                // PASID, domain
        4 => Bits.Mask(59, 0),                                    // device, PASID, MaxPend, QueueID, PASID
        6 => Bits.Mask(15, 0) | Bits.Mask(31, 24) | Bits.Mask(51, 32), // device, PFCount, PASID
        7 => Bits.Mask(15, 0) | Bits.Mask(51, 32),                // device, PASID
        9 => Bits.Mask(47, 32),                                   // GuestID
        10 => Bits.Mask(15, 0) | Bits.Mask(28, 27) | Bits.Bit(31), // GuestID, All (either place), vCmd
        _ => 0,
    };

    private static ulong AllowedHigh(int opcode, Features f) => opcode switch
    {
        1 => ulong.MaxValue,                                      // store data
        3 => Bits.Mask(2, 0) | Bits.Mask(63, 12),                 // S, PDE, GN, address
        4 => Bits.Bit(0) | Bits.Bit(2) | Bits.Mask(63, 12) | (f.InvIotlbTypeSup ? Bits.Mask(5, 4) : 0), // S, GN, Type
        6 => Bits.Bit(0) | Bits.Bit(2) | Bits.Bit(4) | Bits.Mask(63, 12), // S, GN, Inval
        7 => Bits.Bit(2) | Bits.Mask(47, 32),                     // GN, tag with response code
        _ => 0,
    };
}
