namespace FastNest.Iommufd.AmdHost;

/// <summary>What one IOMMU has of a paging domain. Serialised by the domain.</summary>
/// <param name="iommu">The IOMMU.</param>
/// <param name="id">The domain's own id.</param>
internal sealed class DomainOnIommu(AmdHostIommu iommu, ushort id)
{
    public AmdHostIommu Iommu => iommu;

    /// <summary>Every use of the domain's tables.</summary>
    public HashSet<Attachment> Users { get; } = [];

    /// <summary>Those of devices with a translation cache of their own.</summary>
    public HashSet<Attachment> AtsUsers { get; } = [];

    /// <summary>The host's ids of guests' domains that are nested on these tables.</summary>
    public HashSet<ushort> NestedIds { get; } = [];

    /// <summary>Has nothing of a range used any more: one command for each id and each device's cache, one wait for all.</summary>
    public void Invalidate(IovaRange range)
    {
        using CommandBatch batch = iommu.Commands.Begin();
        batch.Add(HostCommand.InvalidatePages(id, range));
        foreach (ushort nested in NestedIds)
        {
            batch.Add(HostCommand.InvalidatePages(nested, range));
        }

        foreach (Attachment user in AtsUsers)
        {
            batch.Add(HostCommand.InvalidateDeviceTlb(user.Entry.Id, user.DeviceRange(range)));
        }

        batch.Complete();
    }
}
