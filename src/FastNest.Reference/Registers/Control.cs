namespace FastNest.Reference.Registers;

/// <summary>The bits of the control register 0018h that the model acts on (section 1.3).</summary>
internal readonly record struct Control(ulong Value)
{
    public bool IommuEn => Bits.IsSet(Value, 0);
    public bool EventLogEn => Bits.IsSet(Value, 2);
    public bool EventIntEn => Bits.IsSet(Value, 3);
    public bool ComWaitIntEn => Bits.IsSet(Value, 4);
    public bool CmdBufEn => Bits.IsSet(Value, 12);
    public bool PprLogEn => Bits.IsSet(Value, 13);
    public bool PprIntEn => Bits.IsSet(Value, 14);
    public bool PprEn => Bits.IsSet(Value, 15);
    public bool GTEn => Bits.IsSet(Value, 16);
    public bool GALogEn => Bits.IsSet(Value, 28);
    public int DevTblSegEn => (int)Bits.Field(Value, 36, 34);
    public bool PprAutoRspEn => Bits.IsSet(Value, 39);
    public bool PprAutoRspAon => Bits.IsSet(Value, 42);
    public int HadUpdate => (int)Bits.Field(Value, 47, 46);
    public bool GDUpdateDis => Bits.IsSet(Value, 48);
    public bool GAUpdateDis => Bits.IsSet(Value, 54);
    public bool Gcr3TrpMode => Bits.IsSet(Value, 58);

    /// <summary>
    /// What of a value stays in the register: bits of features that are not offered read 0, so that a driver which
    /// writes and reads back sees what there is. // reading 52
    /// </summary>
    public static ulong Reduce(ulong value, Features features, bool irtCacheDisSticks, bool gstBufferTrpModeSticks)
    {
        ulong kept = value & Offered(features, irtCacheDisSticks, gstBufferTrpModeSticks);
        int segments = (int)Bits.Field(kept, 36, 34);
        return segments > features.DevTblSegSup ? kept & ~Bits.Mask(36, 34) : kept;
    }

    private static ulong Offered(Features f, bool irtCacheDisSticks, bool gstBufferTrpModeSticks)
    {
        ulong mask = Bits.Mask(12, 0) | Bits.Bit(23);
        void Gate(bool offered, int high, int low) => mask |= offered ? Bits.Mask(high, low) : 0;

        Gate(f.PprSup, 15, 13);            // PprLogEn, PprIntEn, PprEn
        Gate(f.GTSup, 16, 16);             // GTEn
        Gate(f.GASup, 17, 17);             // GAEn
        Gate(f.SmiFSup, 22, 22);           // SmiFEn
        Gate(f.SmiFSup, 24, 24);           // SmiFLogEn
        Gate(f.GamSup, 27, 25);            // GAMEn
        Gate(f.GASup, 29, 28);             // GALogEn, GAIntEn
        Gate(f.DualPprLogSup, 31, 30);
        Gate(f.DualEventLogSup, 33, 32);
        Gate(f.DevTblSegSup != 0, 36, 34);
        Gate(f.USSup, 38, 37);             // PrivAbrtEn
        Gate(f.PprAutoRspSup, 39, 39);     // PprAutoRspEn
        Gate(f.MarcSup, 40, 40);
        Gate(f.BlkStopMrkSup, 41, 41);
        Gate(f.PprAutoRspSup, 42, 42);     // PprAutoRspAon
        Gate(f.NumIntRemapSup, 44, 43);
        Gate(f.EphSup, 45, 45);
        Gate(f.HASup, 47, 46);             // HADUpdate
        Gate(f.GDUpdateDisSup, 48, 48);
        Gate(f.XTSup, 51, 50);             // XTEn, IntCapXTEn
        Gate(f.VIommuSup, 53, 52);         // vCmdEn, vIOMMUEn
        Gate(f.GAUpdateDisSup, 54, 54);
        Gate(f.GappiSup, 55, 55);
        Gate(f.TmpmSup, 56, 56);
        Gate(f.Gcr3TrpModeSup, 58, 58);
        Gate(irtCacheDisSticks, 59, 59);
        Gate(gstBufferTrpModeSticks, 60, 60);
        Gate(f.SnpAvicSup, 63, 61);
        return mask;
    }
}
