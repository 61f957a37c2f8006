using FastNest.Amd.Registers;
using FastNest.Layouts;
using FastNest.Requests;

namespace FastNest.Amd.DeviceTable;

/// <summary>Which device table entries are illegal, given the features offered (readings 14, 21, 22).</summary>
internal sealed class DteRules
{
    private const ulong ReservedHad = 2;
    private const ulong ReservedGlx = 3;
    private const ulong LongestInterruptTable = 11;
    private const ulong ReservedIntCtl = 3;

    private static readonly BitField[] PprFields = [Dte.PPR, Dte.GPRP];
    private static readonly BitField[] GuestIoFields = [Dte.GIoV];
    private static readonly BitField[] GuestFields =
        [Dte.GV, Dte.GLX, Dte.Gcr3Root14To12, Dte.Gcr3Root30To15, Dte.Gcr3Root51To31];

    private readonly IommuFeatures _features;
    private readonly ulong _reserved0;
    private readonly ulong _reserved1;

    public DteRules(IommuFeatures features)
    {
        _features = features;
        BitField[] withheld =
        [
            .. features.Has(ExtendedFeature.PPRSup) || features.Has(ExtendedFeature.EPHSup) ? [] : PprFields,
            .. features.Has(ExtendedFeature.GIoSup) ? [] : GuestIoFields,
            .. features.Has(ExtendedFeature.GTSup) ? [] : GuestFields,
        ];
        _reserved0 = Dte.Layout.Reserved(0) | MaskOf(withheld, 0);
        _reserved1 = Dte.Layout.Reserved(1) | MaskOf(withheld, 1);
    }

    /// <summary>Judges the half that governs memory requests; the caller has seen V=1.</summary>
    /// <param name="dte">The entry.</param>
    /// <param name="guest">Whether guest translation is in force for it: GV and Control.GTEn.</param>
    public FaultReason CheckMemory(in DteValue dte, bool guest)
    {
        if ((dte.Word0 & _reserved0) != 0 || (dte.Word1 & _reserved1) != 0)
        {
            return FaultReason.ContextReservedBit;
        }

        // The reserved Mode 7 is above whatever can be offered.
        if (dte.Get(Dte.Mode) > (ulong)_features.HostLevels
            || (dte.Get(Dte.HAD) == ReservedHad && _features.Has(ExtendedFeature.HASup)))
        {
            return FaultReason.ContextEncoding;
        }

        if (guest
            && (dte.Get(Dte.GLX) == ReservedGlx
                || dte.Get(Dte.GLX) > _features.Get(ExtendedFeature.GLXSup)
                || 4 + (int)dte.Get(Dte.GuestPagingMode) > Math.Min(5, _features.GuestLevels)))
        {
            return FaultReason.ContextEncoding;
        }

        return FaultReason.None;
    }

    /// <summary>Judges the half that governs interrupt messages; the caller has seen IV=1.</summary>
    public static FaultReason CheckInterrupt(in DteValue dte)
    {
        if ((dte.Word2 & Dte.Layout.Reserved(2)) != 0 || (dte.Word3 & Dte.Layout.Reserved(3)) != 0)
        {
            return FaultReason.ContextReservedBit;
        }

        return dte.Get(Dte.IntTabLen) > LongestInterruptTable || dte.Get(Dte.IntCtl) == ReservedIntCtl
            ? FaultReason.ContextEncoding
            : FaultReason.None;
    }

    private static ulong MaskOf(BitField[] fields, int word)
    {
        ulong mask = 0;
        foreach (BitField field in fields)
        {
            mask |= field.Word == word ? field.Mask : 0;
        }

        return mask;
    }
}
