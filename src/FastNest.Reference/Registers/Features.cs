namespace FastNest.Reference.Registers;

/// <summary>The feature registers: EFR 0030h (section 1.5) and EFR2 01A0h (section 1.6).</summary>
internal readonly record struct Features(ulong Efr, ulong Efr2)
{
    public bool PreFSup => Has(0);
    public bool PprSup => Has(1);
    public bool XTSup => Has(2);
    public bool NXSup => Has(3);
    public bool GTSup => Has(4);
    public bool GappiSup => Has(5);
    public bool IASup => Has(6);
    public bool GASup => Has(7);
    public bool HESup => Has(8);
    public int Hats => (int)Bits.Field(Efr, 11, 10);
    public int Gats => (int)Bits.Field(Efr, 13, 12);
    public int GlxSup => (int)Bits.Field(Efr, 15, 14);
    public bool SmiFSup => Bits.Field(Efr, 17, 16) != 0;
    public bool GamSup => Bits.Field(Efr, 23, 21) != 0;
    public bool DualPprLogSup => Bits.Field(Efr, 25, 24) != 0;
    public bool DualEventLogSup => Bits.Field(Efr, 29, 28) != 0;
    public bool USSup => Has(37);
    public int DevTblSegSup => (int)Bits.Field(Efr, 39, 38);
    public bool PprOverflowEarlySup => Has(40);
    public bool PprAutoRspSup => Has(41);
    public bool MarcSup => Bits.Field(Efr, 43, 42) != 0;
    public bool BlkStopMrkSup => Has(44);
    public bool PerfOptSup => Has(45);
    public bool MsiCapMmioSup => Has(46);
    public bool GIoSup => Has(48);
    public bool HASup => Has(49);
    public bool EphSup => Has(50);
    public bool HDSup => Has(52);
    public bool GDUpdateDisSup => Has(53);
    public bool InvIotlbTypeSup => Has(54);
    public bool VIommuSup => Has(55);
    public bool GAUpdateDisSup => Has(61);
    public bool SnpSup => Has(63);

    public bool TmpmSup => Bits.IsSet(Efr2, 2);
    public bool Gcr3TrpModeSup => Bits.IsSet(Efr2, 3);
    public bool SnpAvicSup => Bits.Field(Efr2, 7, 5) != 0;
    public bool NumIntRemapSup => Bits.Field(Efr2, 9, 8) != 0;

    private bool Has(int bit) => Bits.IsSet(Efr, bit);
}
