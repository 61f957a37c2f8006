using FastNest.Amd.DeviceTable;
using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>A guest's device on a nested HWPT.</summary>
internal sealed class NestedAttachment(DeviceEntry entry, AmdNestedDomain nested) : Attachment(entry, nested.Viommu.Parent)
{
    public AmdViommu Viommu => nested.Viommu;

    public override HardwareDomain Target => nested;

    /// <summary>The device has the guest's addresses, of which the host does not know where they lead.</summary>
    public override IovaRange DeviceRange(IovaRange changed) => IovaRange.All;

    /// <summary>Events and page requests go to the guest as long as it has a number for the device.</summary>
    public override DteValue Compose()
    {
        DteValue host = base.Compose().With(Dte.DomainID, nested.HostId).With(Dte.PPR, 0);
        DteValue dte = nested.Guest.Over(host, Entry.TakesPageRequests);
        return Viommu.FindDevice(Entry) is { } named
            ? dte.With(Dte.VImuEn, 1).With(Dte.GDeviceID, named.VirtualId).With(Dte.GuestID, Viommu.GuestId)
            : dte;
    }
}
