using FastNest.Amd.Registers;
using FastNest.Layouts;
using FastNest.Requests;

namespace FastNest.Amd;

/// <summary>
/// What an IOMMU offers: its Extended Feature registers (MMIO 0030h and 01A0h) and the control bits that have no feature
/// bit. Software believes what is offered, so offer no more than <see cref="Built"/> unless the rest is never used.
/// </summary>
/// <param name="ExtendedFeatures">The Extended Feature register.</param>
/// <param name="ExtendedFeatures2">The Extended Feature 2 register.</param>
/// <param name="IrtCacheDisable">Whether Control.IRTCacheDis sticks.</param>
/// <param name="GuestBufferTranslation">Whether Control.GstBufferTRPMode sticks.</param>
public sealed record IommuFeatures(
    ulong ExtendedFeatures, ulong ExtendedFeatures2 = 0, bool IrtCacheDisable = false, bool GuestBufferTranslation = false)
{
    /// <summary>
    /// Everything that this version models: six host and five guest levels, three GCR3 levels at guest physical addresses,
    /// 20-bit PASIDs, Accessed and Dirty bits of both stages, page requests, eight device table segments, prefetch,
    /// INVALIDATE_IOMMU_ALL and the hardware event registers.
    /// </summary>
    public static IommuFeatures Built { get; } = new(
        ExtendedFeature.PreFSup.Mask
        | ExtendedFeature.PPRSup.Mask
        | ExtendedFeature.NXSup.Mask
        | ExtendedFeature.GTSup.Mask
        | ExtendedFeature.IASup.Mask
        | ExtendedFeature.HESup.Mask
        | ExtendedFeature.HATS.Of(2)
        | ExtendedFeature.GATS.Of(1)
        | ExtendedFeature.GLXSup.Of(2)
        | ExtendedFeature.PASmax.Of(TranslationRequest.PasidBits - 1)
        | ExtendedFeature.USSup.Mask
        | ExtendedFeature.DevTblSegSup.Of(3)
        | ExtendedFeature.PprAutoRspSup.Mask
        | ExtendedFeature.GIoSup.Mask
        | ExtendedFeature.HASup.Mask
        | ExtendedFeature.HDSup.Mask
        | ExtendedFeature.GDUpdateDisSup.Mask
        | ExtendedFeature.GAUpdateDisSup.Mask,
        ExtendedFeature.GCR3TRPModeSup.Of(1));

    /// <summary><see cref="Built"/>, and guests served by hardware.</summary>
    public static IommuFeatures BuiltForGuests { get; } = Built with
    {
        ExtendedFeatures = Built.ExtendedFeatures | ExtendedFeature.ViommuSup.Mask,
        GuestBufferTranslation = true,
    };

    /// <summary>What a guest may be offered of this (digest section 8.7).</summary>
    internal IommuFeatures ForGuests() => new(ExtendedFeatures & (
        ExtendedFeature.GTSup.Mask
        | ExtendedFeature.GASup.Mask
        | ExtendedFeature.GIoSup.Mask
        | ExtendedFeature.PPRSup.Mask
        | ExtendedFeature.EPHSup.Mask
        | ExtendedFeature.GATS.Mask
        | ExtendedFeature.GLXSup.Mask
        | ExtendedFeature.PASmax.Mask));

    /// <summary>What hardware does for guests: no commands for every guest at once, and no registers of the host's (reading 96).</summary>
    internal IommuFeatures OfGuestHardware() => this with
    {
        ExtendedFeatures = ExtendedFeatures & ~(
            ExtendedFeature.IASup.Mask
            | ExtendedFeature.ViommuSup.Mask
            | ExtendedFeature.HESup.Mask
            | ExtendedFeature.SNPSup.Mask),
    };

    internal ulong Get(BitField feature) => feature.Get(feature.Word == 0 ? ExtendedFeatures : ExtendedFeatures2);

    internal bool Has(BitField feature) => Get(feature) != 0;

    /// <summary>The host levels offered; 0 when there is no host translation.</summary>
    internal int HostLevels => Get(ExtendedFeature.HATS) switch { 3 => 0, var code => 4 + (int)code };

    /// <summary>The guest levels offered.</summary>
    internal int GuestLevels => 4 + (int)Get(ExtendedFeature.GATS);

    /// <summary>The bits of the Control register that stick.</summary>
    internal ulong WritableControl()
    {
        ulong writable = 0;
        foreach ((BitField field, BitField? feature) in ControlRegister.Gates)
        {
            writable |= feature is null || Has(feature.Value) ? field.Mask : 0;
        }

        writable |= IrtCacheDisable ? ControlRegister.IRTCacheDis.Mask : 0;
        return writable | (GuestBufferTranslation ? ControlRegister.GstBufferTRPMode.Mask : 0);
    }
}
