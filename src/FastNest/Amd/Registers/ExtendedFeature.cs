using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Registers;

/// <summary>The Extended Feature registers, MMIO 0030h (word 0) and 01A0h (word 1).</summary>
internal static class ExtendedFeature
{
    public static readonly BitField PreFSup = Bit(0);
    public static readonly BitField PPRSup = Bit(1);
    public static readonly BitField XTSup = Bit(2);
    public static readonly BitField NXSup = Bit(3);
    public static readonly BitField GTSup = Bit(4);
    public static readonly BitField GAPPISup = Bit(5);
    public static readonly BitField IASup = Bit(6);
    public static readonly BitField GASup = Bit(7);
    public static readonly BitField HESup = Bit(8);
    public static readonly BitField PCSup = Bit(9);
    public static readonly BitField HATS = Bits(11, 10);
    public static readonly BitField GATS = Bits(13, 12);
    public static readonly BitField GLXSup = Bits(15, 14);
    public static readonly BitField SmiFSup = Bits(17, 16);
    public static readonly BitField SmiFRC = Bits(20, 18);
    public static readonly BitField GAMSup = Bits(23, 21);
    public static readonly BitField DualPprLogSup = Bits(25, 24);
    public static readonly BitField DualEventLogSup = Bits(29, 28);
    public static readonly BitField SATSSup = Bit(31);
    public static readonly BitField PASmax = Bits(36, 32);
    public static readonly BitField USSup = Bit(37);
    public static readonly BitField DevTblSegSup = Bits(39, 38);
    public static readonly BitField PprOvrflwEarlySup = Bit(40);
    public static readonly BitField PprAutoRspSup = Bit(41);
    public static readonly BitField MarcSup = Bits(43, 42);
    public static readonly BitField BlkStopMrkSup = Bit(44);
    public static readonly BitField PerfOptSup = Bit(45);
    public static readonly BitField MsiCapMmioSup = Bit(46);
    public static readonly BitField SnoopAttrSup = Bit(47);
    public static readonly BitField GIoSup = Bit(48);
    public static readonly BitField HASup = Bit(49);
    public static readonly BitField EPHSup = Bit(50);
    public static readonly BitField AttrFWSup = Bit(51);
    public static readonly BitField HDSup = Bit(52);
    public static readonly BitField GDUpdateDisSup = Bit(53);
    public static readonly BitField InvIotlbTypeSup = Bit(54);
    public static readonly BitField ViommuSup = Bit(55);
    public static readonly BitField GAUpdateDisSup = Bit(61);
    public static readonly BitField ForcePhyDestSup = Bit(62);
    public static readonly BitField SNPSup = Bit(63);

    public static readonly BitField SevSnpIoSup = Bit(64 + 1);
    public static readonly BitField TMPMSup = Bit(64 + 2);
    public static readonly BitField GCR3TRPModeSup = Bit(64 + 3);
    public static readonly BitField GAPPIDisSup = Bit(64 + 4);
    public static readonly BitField SNPAVICSup = Bits(64 + 7, 64 + 5);
    public static readonly BitField NumIntRemapSup = Bits(64 + 9, 64 + 8);
    public static readonly BitField HTRangeIgnore = Bit(64 + 11);

    public static readonly BitLayout Layout = new(
        "Extended Features",
        2,
        PreFSup, PPRSup, XTSup, NXSup, GTSup, GAPPISup, IASup, GASup, HESup, PCSup, HATS, GATS, GLXSup, SmiFSup, SmiFRC, GAMSup,
        DualPprLogSup, DualEventLogSup, SATSSup, PASmax, USSup, DevTblSegSup, PprOvrflwEarlySup, PprAutoRspSup, MarcSup,
        BlkStopMrkSup, PerfOptSup, MsiCapMmioSup, SnoopAttrSup, GIoSup, HASup, EPHSup, AttrFWSup, HDSup, GDUpdateDisSup,
        InvIotlbTypeSup, ViommuSup, GAUpdateDisSup, ForcePhyDestSup, SNPSup, SevSnpIoSup, TMPMSup, GCR3TRPModeSup, GAPPIDisSup,
        SNPAVICSup, NumIntRemapSup, HTRangeIgnore);
}
