using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Registers;

/// <summary>The Control register, MMIO 0018h.</summary>
internal static class ControlRegister
{
    public static readonly BitField IommuEn = Bit(0);
    public static readonly BitField HtTunEn = Bit(1);
    public static readonly BitField EventLogEn = Bit(2);
    public static readonly BitField EventIntEn = Bit(3);
    public static readonly BitField ComWaitIntEn = Bit(4);
    public static readonly BitField InvTimeOut = Bits(7, 5);
    public static readonly BitField PassPW = Bit(8);
    public static readonly BitField ResPassPW = Bit(9);
    public static readonly BitField Coherent = Bit(10);
    public static readonly BitField Isoc = Bit(11);
    public static readonly BitField CmdBufEn = Bit(12);
    public static readonly BitField PprLogEn = Bit(13);
    public static readonly BitField PprIntEn = Bit(14);
    public static readonly BitField PprEn = Bit(15);
    public static readonly BitField GTEn = Bit(16);
    public static readonly BitField GAEn = Bit(17);
    public static readonly BitField SmiFEn = Bit(22);
    public static readonly BitField SlfWBDis = Bit(23);
    public static readonly BitField SmiFLogEn = Bit(24);
    public static readonly BitField GAMEn = Bits(27, 25);
    public static readonly BitField GALogEn = Bit(28);
    public static readonly BitField GAIntEn = Bit(29);
    public static readonly BitField DualPprLogEn = Bits(31, 30);
    public static readonly BitField DualEventLogEn = Bits(33, 32);
    public static readonly BitField DevTblSegEn = Bits(36, 34);
    public static readonly BitField PrivAbrtEn = Bits(38, 37);
    public static readonly BitField PprAutoRspEn = Bit(39);
    public static readonly BitField MarcEn = Bit(40);
    public static readonly BitField BlkStopMrkEn = Bit(41);
    public static readonly BitField PprAutoRspAon = Bit(42);
    public static readonly BitField NumIntRemapMode = Bits(44, 43);
    public static readonly BitField EPHEn = Bit(45);
    public static readonly BitField HADUpdate = Bits(47, 46);
    public static readonly BitField GDUpdateDis = Bit(48);
    public static readonly BitField XTEn = Bit(50);
    public static readonly BitField IntCapXTEn = Bit(51);
    public static readonly BitField VCmdEn = Bit(52);
    public static readonly BitField ViommuEn = Bit(53);
    public static readonly BitField GAUpdateDis = Bit(54);
    public static readonly BitField GAPPIEn = Bit(55);
    public static readonly BitField TMPMEn = Bit(56);
    public static readonly BitField GCR3TRPMode = Bit(58);
    public static readonly BitField IRTCacheDis = Bit(59);
    public static readonly BitField GstBufferTRPMode = Bit(60);
    public static readonly BitField SNPAVICEn = Bits(63, 61);

    /// <summary>
    /// Each writable field with the feature that must be offered for it to stick; null for those that every model has
    /// (reading 52). IRTCacheDis and GstBufferTRPMode have no feature bit: software writes them and reads them back.
    /// </summary>
    public static readonly (BitField Field, BitField? Feature)[] Gates =
    [
        (IommuEn, null), (HtTunEn, null), (EventLogEn, null), (EventIntEn, null), (ComWaitIntEn, null), (InvTimeOut, null),
        (PassPW, null), (ResPassPW, null), (Coherent, null), (Isoc, null), (CmdBufEn, null), (SlfWBDis, null),
        (PprLogEn, ExtendedFeature.PPRSup), (PprIntEn, ExtendedFeature.PPRSup), (PprEn, ExtendedFeature.PPRSup),
        (GTEn, ExtendedFeature.GTSup), (GAEn, ExtendedFeature.GASup), (GAMEn, ExtendedFeature.GAMSup),
        (GALogEn, ExtendedFeature.GASup), (GAIntEn, ExtendedFeature.GASup),
        (SmiFEn, ExtendedFeature.SmiFSup), (SmiFLogEn, ExtendedFeature.SmiFSup),
        (DualPprLogEn, ExtendedFeature.DualPprLogSup), (DualEventLogEn, ExtendedFeature.DualEventLogSup),
        (DevTblSegEn, ExtendedFeature.DevTblSegSup), (PrivAbrtEn, ExtendedFeature.USSup),
        (PprAutoRspEn, ExtendedFeature.PprAutoRspSup), (PprAutoRspAon, ExtendedFeature.PprAutoRspSup),
        (MarcEn, ExtendedFeature.MarcSup), (BlkStopMrkEn, ExtendedFeature.BlkStopMrkSup),
        (NumIntRemapMode, ExtendedFeature.NumIntRemapSup), (EPHEn, ExtendedFeature.EPHSup),
        (HADUpdate, ExtendedFeature.HASup), (GDUpdateDis, ExtendedFeature.GDUpdateDisSup),
        (XTEn, ExtendedFeature.XTSup), (IntCapXTEn, ExtendedFeature.XTSup),
        (VCmdEn, ExtendedFeature.ViommuSup), (ViommuEn, ExtendedFeature.ViommuSup),
        (GAUpdateDis, ExtendedFeature.GAUpdateDisSup), (GAPPIEn, ExtendedFeature.GAPPISup),
        (TMPMEn, ExtendedFeature.TMPMSup), (GCR3TRPMode, ExtendedFeature.GCR3TRPModeSup),
        (SNPAVICEn, ExtendedFeature.SNPAVICSup),
    ];
}
