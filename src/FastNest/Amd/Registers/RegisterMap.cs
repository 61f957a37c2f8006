using static FastNest.Amd.Registers.RegisterEffect;

namespace FastNest.Amd.Registers;

/// <summary>The MMIO registers, one row each (48882 section 3.4).</summary>
internal static class RegisterMap
{
    /// <summary>The MMIO space without performance counters.</summary>
    public const int Aperture = 0x4000;

    /// <summary>Device table segments, the first of which has its base at offset 0.</summary>
    public const int Segments = 8;

    private static readonly ulong Ring = BaseRegister.Address.Mask | BaseRegister.RingLength.Mask;
    private static readonly ulong Pointer = BaseRegister.Pointer.Mask;
    private static readonly ulong EarlyOverflow = 0xC000_7FFF;
    private static readonly ulong Interrupt = 0xFF_0000_0000_0000_00 | 0xFF_FFFF_FF00 | 1UL << 40 | 1UL << 2;

    public static readonly Register DeviceTableBase = new(
        "DeviceTableBase", 0x0000, 8, 0, BaseRegister.Address.Mask | BaseRegister.TableSize.Mask, 0, Translation);

    public static readonly Register CommandBufferBase = new(
        "CommandBufferBase", 0x0008, 8, 0, Ring, 0, CommandBase, LockedBy: StatusRegister.CmdBufRun);

    public static readonly Register EventLogBase = new(
        "EventLogBase", 0x0010, 8, 0, Ring, 0, EventBase, LockedBy: StatusRegister.EventLogRun);

    /// <summary>What is writable depends on the features offered: <see cref="ControlRegister.Gates"/>.</summary>
    public static readonly Register Control = new("Control", 0x0018, 8, 0, 0, 0, RegisterEffect.Control);

    public static readonly Register ExclusionBase = new(
        "ExclusionBase", 0x0020, 8, 0, BaseRegister.Address.Mask | BaseRegister.ExEn.Mask | BaseRegister.Allow.Mask, 0, Translation);

    public static readonly Register ExclusionLimit = new("ExclusionLimit", 0x0028, 8, 0, BaseRegister.Address.Mask, 0, Translation);

    public static readonly Register ExtendedFeatures = new("ExtendedFeature", 0x0030, 8, 0, 0, 0, None);

    public static readonly Register PprLogBase = new(
        "PPRLogBase", 0x0038, 8, 0, Ring, 0, PprBase, ExtendedFeature.PPRSup, StatusRegister.PprLogRun);

    public static readonly Register HwEventUpper = new("HwEventUpper", 0x0040, 8, 0, 0, 0, None, ExtendedFeature.HESup);
    public static readonly Register HwEventLower = new("HwEventLower", 0x0048, 8, 0, 0, 0, None, ExtendedFeature.HESup);

    public static readonly Register HwEventStatus = new(
        "HwEventStatus", 0x0050, 8, 0, 0, BaseRegister.HEV.Mask | BaseRegister.HEO.Mask, None, ExtendedFeature.HESup);

    public static readonly Register PprLogBBase = new("PPRLogBBase", 0x00F0, 8, 0, Ring, 0, None, ExtendedFeature.DualPprLogSup);
    public static readonly Register EventLogBBase = new("EventLogBBase", 0x00F8, 8, 0, Ring, 0, None, ExtendedFeature.DualEventLogSup);
    public static readonly Register ExtendedFeatures2 = new("ExtendedFeature2", 0x01A0, 8, 0, 0, 0, None);
    public static readonly Register CommandHead = new(
        "CmdBufHead", 0x2000, 8, 0, Pointer, 0, CommandPointer, LockedBy: StatusRegister.CmdBufRun);

    public static readonly Register CommandTail = new("CmdBufTail", 0x2008, 8, 0, Pointer, 0, CommandPointer);
    public static readonly Register EventHead = new("EventLogHead", 0x2010, 8, 0, Pointer, 0, EventPointer);
    public static readonly Register EventTail = new(
        "EventLogTail", 0x2018, 8, 0, Pointer, 0, EventPointer, LockedBy: StatusRegister.EventLogRun);

    public static readonly Register Status = new(
        "Status", 0x2020, 8, 0, 0, StatusRegister.WriteOneToClear, RegisterEffect.Status);

    public static readonly Register PprHead = new("PPRLogHead", 0x2030, 8, 0, Pointer, 0, PprPointer, ExtendedFeature.PPRSup);
    public static readonly Register PprTail = new(
        "PPRLogTail", 0x2038, 8, 0, Pointer, 0, PprPointer, ExtendedFeature.PPRSup, StatusRegister.PprLogRun);

    public static readonly Register PprAutoResponse = new(
        "PPRLogAutoResponse", 0x2080, 8, 0, 0x1F, 0, None, ExtendedFeature.PprAutoRspSup);

    /// <summary>Every row, by ascending offset.</summary>
    public static readonly Register[] All =
    [
        DeviceTableBase, CommandBufferBase, EventLogBase, Control, ExclusionBase, ExclusionLimit, ExtendedFeatures, PprLogBase,
        HwEventUpper, HwEventLower, HwEventStatus,
        new("GALogBase", 0x00E0, 8, 0, Ring, 0, None, ExtendedFeature.GASup),
        new("GALogTailAddress", 0x00E8, 8, 0, 0xF_FFFF_FFFF_FFF8, 0, None, ExtendedFeature.GASup),
        PprLogBBase, EventLogBBase,
        .. Enumerable.Range(1, Segments - 1).Select(segment => new Register(
            $"DeviceTableBase{segment}", SegmentOffset(segment), 8, 0, BaseRegister.Address.Mask | BaseRegister.SegmentSize.Mask, 0,
            Translation, ExtendedFeature.DevTblSegSup)),
        new("DSFX", 0x0138, 8, 0, 0, 0, None),
        new("DSCX", 0x0140, 8, 0, 0, 0, None),
        new("DSSX", 0x0148, 8, 0, 0, 0, None),
        new("MsiVector0", 0x0150, 4, 0, 0, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiVector1", 0x0154, 4, 0, 0, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiCapHeader", 0x0158, 4, 0, 1 << 16, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiAddressLow", 0x015C, 4, 0, 0xFFFF_FFFC, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiAddressHigh", 0x0160, 4, 0, 0xFFFF_FFFF, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiData", 0x0164, 4, 0, 0xFFFF, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("MsiMappingCap", 0x0168, 4, 0, 0, 0, None, ExtendedFeature.MsiCapMmioSup),
        new("PerfOptControl", 0x016C, 4, 0, 1 << 13, 0, None, ExtendedFeature.PerfOptSup),
        new("XTGeneralInterrupt", 0x0170, 8, 0, Interrupt, 0, None, ExtendedFeature.XTSup),
        new("XTPprInterrupt", 0x0178, 8, 0, Interrupt, 0, None, ExtendedFeature.XTSup),
        new("XTGALogInterrupt", 0x0180, 8, 0, Interrupt, 0, None, ExtendedFeature.XTSup),
        ExtendedFeatures2,
        .. Enumerable.Range(0, 4).SelectMany(MarcAperture),
        CommandHead, CommandTail, EventHead, EventTail, Status, PprHead, PprTail,
        new("GALogHead", 0x2040, 8, 0, BaseRegister.GALogPointer.Mask, 0, None, ExtendedFeature.GASup),
        new("GALogTail", 0x2048, 8, 0, BaseRegister.GALogPointer.Mask, 0, None, ExtendedFeature.GASup),
        new("PPRLogBHead", 0x2050, 8, 0, Pointer, 0, None, ExtendedFeature.DualPprLogSup),
        new("PPRLogBTail", 0x2058, 8, 0, Pointer, 0, None, ExtendedFeature.DualPprLogSup),
        new("EventLogBHead", 0x2070, 8, 0, Pointer, 0, None, ExtendedFeature.DualEventLogSup),
        new("EventLogBTail", 0x2078, 8, 0, Pointer, 0, None, ExtendedFeature.DualEventLogSup),
        PprAutoResponse,
        new("PPRLogOverflowEarly", 0x2088, 8, 0, EarlyOverflow, 0, None, ExtendedFeature.PprOvrflwEarlySup),
        new(
            "PPRLogBOverflowEarly", 0x2090, 8, 0, EarlyOverflow, 0, None, ExtendedFeature.PprOvrflwEarlySup,
            SecondFeature: ExtendedFeature.DualPprLogSup),
    ];

    private static readonly byte[] SlotOfWord = NumberSlots();

    private static readonly Dictionary<int, Register> ByOffset = All.ToDictionary(register => register.Offset);

    /// <summary>Where the base of a device table segment stands.</summary>
    public static int SegmentOffset(int segment) => segment == 0 ? 0 : 0x00F8 + segment * 8;

    /// <summary>The 64-bit words that hold registers, and slot 0 for everything that is reserved.</summary>
    public static int Slots { get; private set; }

    /// <summary>Where the word at an offset below <see cref="Aperture"/> is kept.</summary>
    public static int Slot(int offset) => SlotOfWord[offset / sizeof(ulong)];

    private static byte[] NumberSlots()
    {
        var slots = new byte[Aperture / sizeof(ulong)];
        byte last = 0;
        foreach (Register register in All)
        {
            ref byte slot = ref slots[register.Offset / sizeof(ulong)];
            slot = slot == 0 ? ++last : slot;
        }

        Slots = last + 1;
        return slots;
    }

    private static Register[] MarcAperture(int index)
    {
        int offset = 0x0200 + index * 0x18;
        ulong address = BaseRegister.Address.Mask;
        return
        [
            new($"MarcBase{index}", offset, 8, 0, address, 0, None, ExtendedFeature.MarcSup),
            new($"MarcReloc{index}", offset + 8, 8, 0, address | 3, 0, None, ExtendedFeature.MarcSup),
            new($"MarcLength{index}", offset + 16, 8, 0, address, 0, None, ExtendedFeature.MarcSup),
        ];
    }

    /// <summary>The register that holds the byte at an offset, or null.</summary>
    public static Register? At(int offset)
    {
        if (ByOffset.TryGetValue(offset & ~3, out Register? register))
        {
            return register;
        }

        return ByOffset.TryGetValue(offset & ~7, out register) && register.Width == 8 ? register : null;
    }
}
