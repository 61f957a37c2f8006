namespace FastNest.Reference.Registers;

/// <summary>The register map (section 1.2) by 64-bit offset. Control and the ring pointers have more rules elsewhere.</summary>
internal static class RegisterMap
{
    public const ulong DeviceTableBase = 0x0000;
    public const ulong CommandBufferBase = 0x0008;
    public const ulong EventLogBase = 0x0010;
    public const ulong ControlOffset = 0x0018;
    public const ulong ExclusionBase = 0x0020;
    public const ulong ExclusionLimit = 0x0028;
    public const ulong ExtendedFeature = 0x0030;
    public const ulong PprLogBase = 0x0038;
    public const ulong HwEventUpper = 0x0040;
    public const ulong HwEventLower = 0x0048;
    public const ulong HwEventStatus = 0x0050;
    public const ulong GALogBase = 0x00E0;
    public const ulong PprLogBBase = 0x00F0;
    public const ulong EventLogBBase = 0x00F8;
    public const ulong DeviceTableSegment1 = 0x0100;
    public const ulong ExtendedFeature2 = 0x01A0;
    public const ulong CmdBufHead = 0x2000;
    public const ulong CmdBufTail = 0x2008;
    public const ulong EventLogHead = 0x2010;
    public const ulong EventLogTail = 0x2018;
    public const ulong Status = 0x2020;
    public const ulong PprLogHead = 0x2030;
    public const ulong PprLogTail = 0x2038;
    public const ulong PprLogBHead = 0x2050;
    public const ulong PprLogBTail = 0x2058;
    public const ulong EventLogBHead = 0x2070;
    public const ulong EventLogBTail = 0x2078;

    private const ulong All = ulong.MaxValue;
    private static readonly ulong Base = Bits.Mask(51, 12);
    private static readonly ulong RingBase = Bits.Mask(51, 12) | Bits.Mask(59, 56);
    private static readonly ulong Pointer = Bits.Mask(18, 4);
    private static readonly ulong XTInterrupt = Bits.Bit(2) | Bits.Mask(40, 8) | Bits.Mask(63, 56);

    /// <summary>0 EventOverflow, 1 EventLogInt, 2 ComWaitInt and the like (section 1.4).</summary>
    public static readonly ulong StatusClearable =
        Bits.Mask(2, 0) | Bits.Mask(6, 5) | Bits.Mask(11, 9) | Bits.Bit(15) | Bits.Mask(18, 17);

    public static RegisterRule Rule(ulong offset, Features f)
    {
        switch (offset)
        {
            case DeviceTableBase: return RegisterRule.ReadWrite(Base | Bits.Mask(8, 0));
            case CommandBufferBase: return RegisterRule.ReadWrite(RingBase);
            case EventLogBase: return RegisterRule.ReadWrite(RingBase);
            case ControlOffset: return RegisterRule.ReadWrite(All);
            case ExclusionBase: return RegisterRule.ReadWrite(Base | Bits.Mask(1, 0));
            case ExclusionLimit: return RegisterRule.ReadWrite(Base);
            case ExtendedFeature: return RegisterRule.ReadOnly(All);
            case PprLogBase: return RegisterRule.ReadWrite(RingBase).If(f.PprSup);
            case HwEventUpper: return RegisterRule.ReadOnly(All).If(f.HESup);
            case HwEventLower: return RegisterRule.ReadOnly(All).If(f.HESup);
            case HwEventStatus: return RegisterRule.WriteOneToClear(Bits.Mask(1, 0)).If(f.HESup);
            case GALogBase: return RegisterRule.ReadWrite(RingBase).If(f.GASup);
            case 0x00E8: return RegisterRule.ReadWrite(Bits.Mask(51, 3)).If(f.GASup);     // GALogTailAddress
            case PprLogBBase: return RegisterRule.ReadWrite(RingBase).If(f.DualPprLogSup);
            case EventLogBBase: return RegisterRule.ReadWrite(RingBase).If(f.DualEventLogSup);
            case 0x0158: return RegisterRule.ReadWrite(Bits.Bit(16) | Bits.Mask(63, 34)).If(f.MsiCapMmioSup); // MsiEn; 015Ch address low
            case 0x0160: return RegisterRule.ReadWrite(Bits.Mask(47, 0)).If(f.MsiCapMmioSup);  // address high; 0164h data
            case 0x0168: return RegisterRule.ReadWrite(Bits.Bit(32 + 13)).If(f.PerfOptSup);    // 016Ch PerfOptEn
            case 0x0170: return RegisterRule.ReadWrite(XTInterrupt).If(f.XTSup);
            case 0x0178: return RegisterRule.ReadWrite(XTInterrupt).If(f.XTSup);
            case 0x0180: return RegisterRule.ReadWrite(XTInterrupt).If(f.XTSup);
            case ExtendedFeature2: return RegisterRule.ReadOnly(All);
            case CmdBufHead: return RegisterRule.ReadWrite(Pointer);
            case CmdBufTail: return RegisterRule.ReadWrite(Pointer);
            case EventLogHead: return RegisterRule.ReadWrite(Pointer);
            case EventLogTail: return RegisterRule.ReadWrite(Pointer);
            case Status: return RegisterRule.WriteOneToClear(StatusClearable);
            case PprLogHead: return RegisterRule.ReadWrite(Pointer).If(f.PprSup);
            case PprLogTail: return RegisterRule.ReadWrite(Pointer).If(f.PprSup);
            case 0x2040: return RegisterRule.ReadWrite(Bits.Mask(15, 3)).If(f.GASup);     // GALogHead
            case 0x2048: return RegisterRule.ReadWrite(Bits.Mask(15, 3)).If(f.GASup);     // GALogTail
            case PprLogBHead: return RegisterRule.ReadWrite(Pointer).If(f.DualPprLogSup);
            case PprLogBTail: return RegisterRule.ReadWrite(Pointer).If(f.DualPprLogSup);
            case EventLogBHead: return RegisterRule.ReadWrite(Pointer).If(f.DualEventLogSup);
            case EventLogBTail: return RegisterRule.ReadWrite(Pointer).If(f.DualEventLogSup);
            case 0x2080: return RegisterRule.ReadWrite(Bits.Mask(4, 0)).If(f.PprAutoRspSup);
            case 0x2088: return RegisterRule.ReadWrite(PprEarly).If(f.PprOverflowEarlySup);
            case 0x2090: return RegisterRule.ReadWrite(PprEarly).If(f.PprOverflowEarlySup && f.DualPprLogSup);
        }

        if (offset >= DeviceTableSegment1 && offset <= 0x0130)
        {
            ulong segment = (offset - DeviceTableSegment1) / 8 + 1;
            return RegisterRule.ReadWrite(Base | Bits.Mask(7, 0)).If(segment < 1UL << f.DevTblSegSup);
        }

        // Four apertures of base, relocation (RelocEn 0, ReadOnly 1) and length.
        if (offset >= 0x0200 && offset < 0x0200 + 4 * 0x18)
            return RegisterRule.ReadWrite((offset - 0x0200) % 0x18 == 8 ? Base | Bits.Mask(1, 0) : Base).If(f.MarcSup);

        return RegisterRule.Reserved; // reading 53
    }

    // Threshold 14:0, interrupt enable 30, enable 31.
    private static ulong PprEarly => Bits.Mask(14, 0) | Bits.Mask(31, 30);
}
