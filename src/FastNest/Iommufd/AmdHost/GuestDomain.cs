namespace FastNest.Iommufd.AmdHost;

/// <summary>A guest's domain id in use, and the host's that stands for it. Serialised by the vIOMMU.</summary>
/// <param name="hostId">The host's id.</param>
internal sealed class GuestDomain(ushort hostId)
{
    public ushort HostId => hostId;

    /// <summary>How many nested HWPTs have the id.</summary>
    public int Users { get; set; }
}
