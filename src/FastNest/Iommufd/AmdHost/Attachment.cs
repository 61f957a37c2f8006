using FastNest.Amd.DeviceTable;
using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>One use of a paging domain by a device table entry, from before the entry names the domain until after it did.</summary>
/// <param name="entry">The entry.</param>
/// <param name="domain">The domain whose tables the entry names.</param>
internal class Attachment(DeviceEntry entry, AmdPagingDomain domain)
{
    public DeviceEntry Entry => entry;

    /// <summary>The domain whose tables the entry names.</summary>
    public AmdPagingDomain Domain => domain;

    /// <summary>Who takes the page requests; null when nobody does.</summary>
    public virtual HardwareDomain Target => domain;

    /// <summary>What a change of the host's tables makes stale in the device's own cache.</summary>
    public virtual IovaRange DeviceRange(IovaRange changed) => changed;

    /// <summary>What the entry says, as things are now.</summary>
    public virtual DteValue Compose() => HostDte
        .Host(domain.Tables.Root, domain.Tables.Format.Levels, domain.Id, domain.TracksDirty)
        .With(Dte.I, entry.HasAts ? 1UL : 0)
        .With(Dte.PPR, entry.TakesPageRequests && domain.PageRequests is not null ? 1UL : 0);
}
