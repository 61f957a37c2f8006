using FastNest.Amd.Registers;
using FastNest.Layouts;

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
    /// Everything that this version models: INVALIDATE_IOMMU_ALL, prefetch, hardware event registers, six host levels, eight
    /// device table segments.
    /// </summary>
    public static IommuFeatures Built { get; } = new(
        ExtendedFeature.PreFSup.Mask
        | ExtendedFeature.IASup.Mask
        | ExtendedFeature.HESup.Mask
        | ExtendedFeature.HATS.Of(2)
        | ExtendedFeature.DevTblSegSup.Of(3));

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
