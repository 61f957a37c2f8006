namespace FastNest.Amd;

/// <summary>How an IOMMU is made.</summary>
public sealed record AmdIommuOptions
{
    /// <summary>What it offers to software.</summary>
    public IommuFeatures Features { get; init; } = IommuFeatures.Built;

    /// <summary>
    /// Called when the IOMMU interrupts, on the thread whose access or batch caused it, with no lock held: it may call back
    /// into the IOMMU. Null to have no interrupts.
    /// </summary>
    public Action<IommuInterrupt>? Interrupt { get; init; }
}
