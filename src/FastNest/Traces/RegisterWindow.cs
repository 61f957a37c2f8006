namespace FastNest.Traces;

/// <summary>Which registers an access reaches.</summary>
public enum RegisterWindow
{
    /// <summary>The IOMMU's own.</summary>
    Iommu,

    /// <summary>The VF MMIO region of all guests.</summary>
    VfMmio,

    /// <summary>The VF control region.</summary>
    VfControl,
}
