namespace FastNest.Amd.Viommu;

/// <summary>An interrupt of a guest's IOMMU, for the guest.</summary>
/// <param name="Guest">Its id.</param>
/// <param name="Kind">Why it is interrupted; several reasons may have come together.</param>
public readonly record struct GuestInterrupt(ushort Guest, IommuInterrupt Kind);
