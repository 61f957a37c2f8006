using FastNest.Amd.Registers;
using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Commands;

/// <summary>The commands by their opcode in bits 63:60.</summary>
internal enum Opcode : byte
{
    CompletionWait = 1,
    InvalidateDevtabEntry = 2,
    InvalidateIommuPages = 3,
    InvalidateIotlbPages = 4,
    InvalidateInterruptTable = 5,
    PrefetchIommuPages = 6,
    CompletePprRequest = 7,
    InvalidateIommuAll = 8,
    InsertGuestEvent = 9,
    ResetVmmio = 10,
}

/// <summary>The commands' fields, 128 bits each (48882 section 2.4). What no field of a command covers must be zero.</summary>
internal static class CommandLayout
{
    public static readonly BitField Code = Bits(63, 60);

    public static readonly BitField Store = Bit(0);
    public static readonly BitField Interrupt = Bit(1);
    public static readonly BitField Flush = Bit(2);
    public static readonly BitField StoreAddress = Bits(51, 3);
    public static readonly BitField StoreData = Bits(127, 64);

    public static readonly BitField DeviceID = Bits(15, 0);
    public static readonly BitField DomainID = Bits(47, 32);
    public static readonly BitField Pasid = Bits(19, 0);
    public static readonly BitField S = Bit(64);
    public static readonly BitField PDE = Bit(65);
    public static readonly BitField GN = Bit(66);
    public static readonly BitField Address = Bits(127, 76);

    public static readonly BitField IotlbPasid15To8 = Bits(23, 16);
    public static readonly BitField MaxPend = Bits(31, 24);
    public static readonly BitField QueueID = Bits(47, 32);
    public static readonly BitField IotlbPasid7To0 = Bits(55, 48);
    public static readonly BitField IotlbPasid19To16 = Bits(59, 56);
    public static readonly BitField InvalidationType = Bits(69, 68);

    public static readonly BitField PfCount = Bits(31, 24);
    public static readonly BitField PasidAt32 = Bits(51, 32);
    public static readonly BitField Inval = Bit(68);
    public static readonly BitField CompletionTag = Bits(104, 96);
    public static readonly BitField CompletionTag11To9 = Bits(107, 105);
    public static readonly BitField ResponseCode = Bits(111, 108);
    public static readonly BitField GuestID = Bits(15, 0);
    public static readonly BitField GuestIDAt32 = Bits(47, 32);
    public static readonly BitField ResetAllAt27 = Bit(27);
    public static readonly BitField ResetAll = Bit(28);
    public static readonly BitField ResetVCmd = Bit(31);

    /// <summary>Each command's fields, with the feature that must be offered for it.</summary>
    public static readonly (Opcode Opcode, BitField? Feature, BitLayout Layout)[] Commands =
    [
        (Opcode.CompletionWait, null, new("COMPLETION_WAIT", 2, Store, Interrupt, Flush, StoreAddress, Code, StoreData)),
        (Opcode.InvalidateDevtabEntry, null, new("INVALIDATE_DEVTAB_ENTRY", 2, DeviceID, Code)),
        (Opcode.InvalidateIommuPages, null, new("INVALIDATE_IOMMU_PAGES", 2, Pasid, DomainID, Code, S, PDE, GN, Address)),
        (Opcode.InvalidateIotlbPages, null, new(
            "INVALIDATE_IOTLB_PAGES", 2, DeviceID, IotlbPasid15To8, MaxPend, QueueID, IotlbPasid7To0, IotlbPasid19To16, Code, S, GN,
            InvalidationType, Address)),
        (Opcode.InvalidateInterruptTable, null, new("INVALIDATE_INTERRUPT_TABLE", 2, DeviceID, Code)),
        (Opcode.PrefetchIommuPages, ExtendedFeature.PreFSup, new(
            "PREFETCH_IOMMU_PAGES", 2, DeviceID, PfCount, PasidAt32, Code, S, GN, Inval, Address)),
        (Opcode.CompletePprRequest, ExtendedFeature.PPRSup, new(
            "COMPLETE_PPR_REQUEST", 2, DeviceID, PasidAt32, Code, GN, CompletionTag, CompletionTag11To9, ResponseCode)),
        (Opcode.InvalidateIommuAll, ExtendedFeature.IASup, new("INVALIDATE_IOMMU_ALL", 2, Code)),
        (Opcode.InsertGuestEvent, ExtendedFeature.ViommuSup, new("INSERT_GUEST_EVENT", 2, GuestIDAt32, Code)),
        (Opcode.ResetVmmio, ExtendedFeature.ViommuSup, new("RESET_VMMIO", 2, GuestID, ResetAllAt27, ResetAll, ResetVCmd, Code)),
    ];
}
