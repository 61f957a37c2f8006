namespace FastNest.Iommufd.AmdHost;

/// <summary>What a device of the host can do.</summary>
public sealed record AmdDeviceOptions
{
    /// <summary>It has a translation cache of its own, which is told of invalidations (PCIe ATS).</summary>
    public bool Ats { get; init; }

    /// <summary>It may ask for pages (PCIe PRI).</summary>
    public bool PageRequests { get; init; }

    /// <summary>log2 of how many PASIDs it can use, 0 to 20; 0 without any. No more than the IOMMU can take counts.</summary>
    public int PasidBits { get; init; }
}
