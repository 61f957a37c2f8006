using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>A device table entry (section 2).</summary>
internal sealed class DeviceEntry(ulong[] raw)
{
    public bool V => Bits.IsSet(raw[0], 0);
    public bool TV => Bits.IsSet(raw[0], 1);
    public int Had => (int)Bits.Field(raw[0], 8, 7);
    public int Mode => (int)Bits.Field(raw[0], 11, 9);
    public ulong HostRoot => raw[0] & Bits.Mask(51, 12);
    public bool Ppr => Bits.IsSet(raw[0], 52);
    public bool GIoV => Bits.IsSet(raw[0], 54);
    public bool GV => Bits.IsSet(raw[0], 55);
    public int Glx => (int)Bits.Field(raw[0], 57, 56);
    public bool IR => Bits.IsSet(raw[0], 61);
    public bool IW => Bits.IsSet(raw[0], 62);
    public ushort DomainId => (ushort)raw[1];
    public bool I => Bits.IsSet(raw[1], 32);
    public bool SE => Bits.IsSet(raw[1], 33);
    public bool SA => Bits.IsSet(raw[1], 34);
    public bool EX => Bits.IsSet(raw[1], 39);
    public bool IV => Bits.IsSet(raw[2], 0);
    public int IntTabLen => (int)Bits.Field(raw[2], 4, 1);
    public int GuestPagingMode => (int)Bits.Field(raw[2], 55, 54); // reading 13: whatever IV is
    public int IntCtl => (int)Bits.Field(raw[2], 61, 60);

    public bool VImuEn => Bits.IsSet(raw[3], 15);
    public ushort GDeviceId => (ushort)Bits.Field(raw[3], 31, 16);
    public ushort GuestId => (ushort)Bits.Field(raw[3], 47, 32);

    public ulong Gcr3Root =>
        Bits.Field(raw[0], 60, 58) << 12 | Bits.Field(raw[1], 31, 16) << 15 | Bits.Field(raw[1], 63, 43) << 31;

    public Access Permissions => Grants(IR, IW);

    public Suppression Suppression => SA ? Suppression.All : SE ? Suppression.AfterFirst : Suppression.None;

    /// <summary>A v1 table has no control of its own over execution. // reading 29</summary>
    public static Access Grants(bool read, bool write) =>
        (read ? Access.Read | Access.Execute : Access.None) | (write ? Access.Write : Access.None);

    /// <summary>Bits 127:1 that must be 0. // reading 22</summary>
    public bool HasReservedBit(Features f)
    {
        ulong low = Bits.Mask(6, 2) | Bits.Bit(63);
        ulong high = 0;
        if (!f.PprSup && !f.EphSup)
            low |= Bits.Mask(53, 52);
        if (!f.GIoSup)
            low |= Bits.Bit(54);
        if (!f.GTSup)
        {
            low |= Bits.Mask(60, 55);
            high |= Bits.Mask(31, 16) | Bits.Mask(63, 43);
        }

        return (raw[0] & low) != 0 || (raw[1] & high) != 0;
    }

    /// <summary>The first illegal encoding in bits 127:1, null when there is none. // readings 14, 22</summary>
    public string? IllegalEncoding(Features f, bool guestTranslation)
    {
        // HATS counts from four levels; 3 stands for no host translation at all.
        int levels = f.Hats == 3 ? 0 : f.Hats + 4;
        if (Mode == 7 || Mode > levels)
            return $"Mode={Mode} with at most {levels} levels";
        if (f.HASup && Had == 2)
            return "HAD=2";
        if (!guestTranslation)
            return null;
        if (Glx == 3 || Glx > f.GlxSup)
            return $"GLX={Glx} above GLXSup={f.GlxSup}";
        if (GuestPagingMode > 1 || GuestPagingMode > f.Gats)
            return $"GuestPagingMode={GuestPagingMode} above GATS={f.Gats}";
        return null;
    }

    /// <summary>Bits 255:129 that must be 0 for interrupts. // reading 21</summary>
    public bool HasReservedInterruptBit =>
        (raw[2] & Bits.Mask(53, 52)) != 0 || (raw[3] & (Bits.Mask(14, 0) | Bits.Mask(52, 48))) != 0;
}
