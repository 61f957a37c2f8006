using FastNest.Amd.Registers;
using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The VF control registers, 64 bytes per guest (digest section 8.4), and for each of their fields the register and field of the
/// guest's own IOMMU that it stands for.
/// </summary>
internal static class VfControlLayout
{
    public const int Size = 64;

    public const int DeviceMap = 0x00;
    public const int DomainMap = 0x08;
    public const int Misc = 0x10;
    public const int EventLogB = 0x18;
    public const int Command = 0x20;
    public const int Event = 0x28;
    public const int Ppr = 0x30;
    public const int PprLogB = 0x38;

    /// <summary>Map registers: the entry maps.</summary>
    public static readonly BitField Valid = Bit(0);

    /// <summary>Map registers: the host's id.</summary>
    public static readonly BitField HostId = Bits(29, 14);

    /// <summary>Map registers: the guest's id.</summary>
    public static readonly BitField GuestId = Bits(61, 46);

    /// <summary>Map registers: the entry is to be written; reads 0.</summary>
    public static readonly BitField Write = Bit(63);

    /// <summary>Misc: the device whose host table translates the guest's addresses.</summary>
    public static readonly BitField TranslateDevID = Bits(31, 16);

    /// <summary>Where a ring stands, but for the PPR log.</summary>
    public static readonly BitField RingBase = Bits(51, 12);

    /// <summary>Where the PPR log stands, shifted by four.</summary>
    public static readonly BitField PprRingBase = Bits(55, 16);

    /// <summary>A ring's length as log2 of its entries.</summary>
    public static readonly BitField Length = Bits(3, 0);

    private static readonly BitField LengthB = Bits(7, 4);
    private static readonly BitField LogEn = Bit(8);
    private static readonly BitField IntEn = Bit(9);

    /// <summary>What a map register keeps of a write.</summary>
    public static readonly ulong MapMask = Valid.Mask | HostId.Mask | GuestId.Mask;

    /// <summary>Every field that stands for one of the guest's own.</summary>
    public static readonly (int Offset, BitField Field, Register Register, BitField GuestField)[] Fields =
    [
        (EventLogB, RingBase, RegisterMap.EventLogBBase, BaseRegister.Address),
        (Command, Length, RegisterMap.CommandBufferBase, BaseRegister.RingLength),
        (Command, LogEn, RegisterMap.Control, ControlRegister.CmdBufEn),
        (Command, IntEn, RegisterMap.Control, ControlRegister.ComWaitIntEn),
        (Command, RingBase, RegisterMap.CommandBufferBase, BaseRegister.Address),
        (Event, Length, RegisterMap.EventLogBase, BaseRegister.RingLength),
        (Event, LengthB, RegisterMap.EventLogBBase, BaseRegister.RingLength),
        (Event, LogEn, RegisterMap.Control, ControlRegister.EventLogEn),
        (Event, IntEn, RegisterMap.Control, ControlRegister.EventIntEn),
        (Event, Bits(11, 10, "DualEventLogEn"), RegisterMap.Control, ControlRegister.DualEventLogEn),
        (Event, RingBase, RegisterMap.EventLogBase, BaseRegister.Address),
        (Ppr, Length, RegisterMap.PprLogBase, BaseRegister.RingLength),
        (Ppr, LengthB, RegisterMap.PprLogBBase, BaseRegister.RingLength),
        (Ppr, LogEn, RegisterMap.Control, ControlRegister.PprLogEn),
        (Ppr, IntEn, RegisterMap.Control, ControlRegister.PprIntEn),
        (Ppr, Bit(10, "PprEn"), RegisterMap.Control, ControlRegister.PprEn),
        (Ppr, Bits(12, 11, "DualPprLogEn"), RegisterMap.Control, ControlRegister.DualPprLogEn),
        (Ppr, Bit(13, "PprAutoRspEn"), RegisterMap.Control, ControlRegister.PprAutoRspEn),
        (Ppr, Bit(14, "BlkStopMrkEn"), RegisterMap.Control, ControlRegister.BlkStopMrkEn),
        (Ppr, Bit(15, "PprAutoRspAon"), RegisterMap.Control, ControlRegister.PprAutoRspAon),
        (Ppr, PprRingBase, RegisterMap.PprLogBase, BaseRegister.Address),
        (PprLogB, RingBase, RegisterMap.PprLogBBase, BaseRegister.Address),
    ];
}
