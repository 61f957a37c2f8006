using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.DeviceTable;

/// <summary>The device table entry, 256 bits (48882 section 2.2.2; digest of fields as of revision 3.11).</summary>
internal static class Dte
{
    public const int Size = 32;

    public static readonly BitField V = Bit(0);
    public static readonly BitField TV = Bit(1);
    public static readonly BitField HAD = Bits(8, 7);
    public static readonly BitField Mode = Bits(11, 9);
    public static readonly BitField HostPageTableRoot = Bits(51, 12);
    public static readonly BitField PPR = Bit(52);
    public static readonly BitField GPRP = Bit(53);
    public static readonly BitField GIoV = Bit(54);
    public static readonly BitField GV = Bit(55);
    public static readonly BitField GLX = Bits(57, 56);
    public static readonly BitField Gcr3Root14To12 = Bits(60, 58);
    public static readonly BitField IR = Bit(61);
    public static readonly BitField IW = Bit(62);
    public static readonly BitField DomainID = Bits(79, 64);
    public static readonly BitField Gcr3Root30To15 = Bits(95, 80);
    public static readonly BitField I = Bit(96);
    public static readonly BitField SE = Bit(97);
    public static readonly BitField SA = Bit(98);
    public static readonly BitField IoCtl = Bits(100, 99);
    public static readonly BitField Cache = Bit(101);
    public static readonly BitField SD = Bit(102);
    public static readonly BitField EX = Bit(103);
    public static readonly BitField SysMgt = Bits(105, 104);
    public static readonly BitField SATS = Bit(106);
    public static readonly BitField Gcr3Root51To31 = Bits(127, 107);
    public static readonly BitField IV = Bit(128);
    public static readonly BitField IntTabLen = Bits(132, 129);
    public static readonly BitField IG = Bit(133);
    public static readonly BitField IntTableRoot = Bits(179, 134);
    public static readonly BitField GuestPagingMode = Bits(183, 182);
    public static readonly BitField InitPass = Bit(184);
    public static readonly BitField EIntPass = Bit(185);
    public static readonly BitField NMIPass = Bit(186);
    public static readonly BitField HPTMode = Bit(187);
    public static readonly BitField IntCtl = Bits(189, 188);
    public static readonly BitField Lint0Pass = Bit(190);
    public static readonly BitField Lint1Pass = Bit(191);
    public static readonly BitField VImuEn = Bit(207);
    public static readonly BitField GDeviceID = Bits(223, 208);
    public static readonly BitField GuestID = Bits(239, 224);
    public static readonly BitField Software = Bit(245);
    public static readonly BitField AttrV = Bit(246);
    public static readonly BitField Mode0FC = Bit(247);
    public static readonly BitField SnoopAttribute = Bits(255, 248);

    public static readonly BitLayout Layout = new(
        "DTE",
        4,
        V, TV, HAD, Mode, HostPageTableRoot, PPR, GPRP, GIoV, GV, GLX, Gcr3Root14To12, IR, IW,
        DomainID, Gcr3Root30To15, I, SE, SA, IoCtl, Cache, SD, EX, SysMgt, SATS, Gcr3Root51To31,
        IV, IntTabLen, IG, IntTableRoot, GuestPagingMode, InitPass, EIntPass, NMIPass, HPTMode, IntCtl, Lint0Pass, Lint1Pass,
        VImuEn, GDeviceID, GuestID, Software, AttrV, Mode0FC, SnoopAttribute);
}
