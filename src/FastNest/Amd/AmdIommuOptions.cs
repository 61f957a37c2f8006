using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;

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

    /// <summary>
    /// Called with each answer to a page request, under the same rules as <see cref="Interrupt"/>. Null to drop them.
    /// </summary>
    public Action<PageResponse>? PageResponse { get; init; }

    /// <summary>
    /// Called for each INVALIDATE_IOTLB_PAGES, before any later command: the device's own cache must have dropped the range
    /// when this returns true; false reports that the device did not answer in time. The registers are locked meanwhile:
    /// it must not write to them. Batches under way are not waited for first: the answer of an ATS request that one of them
    /// makes may reach the device after this call, so a device must drop what it asked for before and is told later, as with
    /// requests outstanding at an invalidation in hardware. Null for devices without a cache.
    /// </summary>
    public Func<DeviceTlbInvalidation, bool>? InvalidateDeviceTlb { get; init; }

    /// <summary>How guests are served, where the features offer that (<see cref="IommuFeatures.BuiltForGuests"/>).</summary>
    public ViommuOptions Viommu { get; init; } = new();
}
