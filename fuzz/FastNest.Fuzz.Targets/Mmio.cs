namespace FastNest.Fuzz.Targets;

/// <summary>MMIO offsets and bits, written from the digest (section 1), not from the engine's own tables.</summary>
internal static class Mmio
{
    public const ulong DeviceTableBase = 0x0000;
    public const ulong CommandBase = 0x0008;
    public const ulong EventBase = 0x0010;
    public const ulong Control = 0x0018;
    public const ulong ExclusionBase = 0x0020;
    public const ulong ExclusionLimit = 0x0028;
    public const ulong Efr = 0x0030;
    public const ulong PprBase = 0x0038;
    public const ulong HwEventUpper = 0x0040;
    public const ulong HwEventLower = 0x0048;
    public const ulong HwEventStatus = 0x0050;
    public const ulong Segment1 = 0x0100;
    public const ulong Efr2 = 0x01A0;
    public const ulong CommandHead = 0x2000;
    public const ulong CommandTail = 0x2008;
    public const ulong EventHead = 0x2010;
    public const ulong EventTail = 0x2018;
    public const ulong Status = 0x2020;
    public const ulong PprHead = 0x2030;
    public const ulong PprTail = 0x2038;

    // Control
    public const ulong IommuEn = 1 << 0;
    public const ulong EventLogEn = 1 << 2;
    public const ulong EventIntEn = 1 << 3;
    public const ulong ComWaitIntEn = 1 << 4;
    public const ulong CmdBufEn = 1 << 12;
    public const ulong PprLogEn = 1 << 13;
    public const ulong GTEn = 1 << 16;
    public const int DevTblSegEnShift = 34;

    // Status
    public const ulong EventOverflow = 1 << 0;
    public const ulong EventLogInt = 1 << 1;
    public const ulong ComWaitInt = 1 << 2;
    public const ulong EventLogRun = 1 << 3;
    public const ulong CmdBufRun = 1 << 4;
    public const ulong PprLogRun = 1 << 7;

    // Extended features
    public const ulong PreFSup = 1UL << 0;
    public const ulong PprSup = 1UL << 1;
    public const ulong NXSup = 1UL << 3;
    public const ulong GTSup = 1UL << 4;
    public const ulong IASup = 1UL << 6;
    public const ulong HESup = 1UL << 8;
    public const ulong Hats6 = 2UL << 10;
    public const ulong DevTblSeg8 = 3UL << 38;
    public const ulong GIoSup = 1UL << 48;
    public const ulong HASup = 1UL << 49;
    public const ulong EphSup = 1UL << 50;
    public const ulong InvIotlbTypeSup = 1UL << 54;
    public const ulong SnpSup = 1UL << 63;

    /// <summary>What this version of the engine models.</summary>
    public const ulong BuiltEfr = PreFSup | IASup | HESup | Hats6 | DevTblSeg8;
}
