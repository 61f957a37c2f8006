using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>Tables of a guest's own, in the driver's form, over those of a nest parent.</summary>
public sealed class HwptNested : Hwpt
{
    private readonly IommufdObject _below;

    /// <summary>Takes over the caller's reference on what it stands on.</summary>
    internal HwptNested(IommufdObject below, HwptPaging parent, HardwareDomain domain, FaultQueue? faults)
        : base(below.Context, domain, faults)
    {
        _below = below;
        Parent = parent;
    }

    /// <summary>The nest parent.</summary>
    public HwptPaging Parent { get; }

    /// <summary>The VM that it was made for, or null when it stands straight on its parent.</summary>
    public Viommu? Viommu => _below as Viommu;

    private protected override void OnDestroyed()
    {
        base.OnDestroyed();
        _below.ReleaseUser();
    }
}
