using FastNest.Amd.Events;
using FastNest.Layouts;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Tells the host, in its own event log, what could not be done for a guest. Of each guest and source the first is told until
/// the host maps something for the guest, so that no guest can fill the host's log (reading 99). Any thread.
/// </summary>
internal sealed class HostErrors(EventLog log)
{
    private const byte MappingTables = 0;

    /// <summary>A mapping table's entry is missing, or could not be reached.</summary>
    /// <param name="guest">Whose.</param>
    /// <param name="reason">VCmd for a guest's command, VPtr for a write of the host.</param>
    /// <param name="address">The entry's private address.</param>
    public void Mapping(VirtualIommu guest, BitField reason, ulong address) =>
        Hardware(guest, MappingTables, reason.Mask, address);

    /// <summary>A command could not be fetched.</summary>
    public void Fetch(VirtualIommu guest, ulong address) =>
        Hardware(guest, (byte)GuestRing.Command, ViommuEventLayout.VCmd.Mask, address);

    /// <summary>A completion could not be stored.</summary>
    public void Store(VirtualIommu guest, ulong address) =>
        Hardware(guest, (byte)GuestRing.Command, ViommuEventLayout.VCmd.Mask | ViommuEventLayout.VPtr.Mask, address);

    /// <summary>An entry of a guest's log could not be stored.</summary>
    public void Log(VirtualIommu guest, GuestRing ring)
    {
        if (guest.IsFirstError((byte)ring))
        {
            log.Append(new IommuEvent(
                EventLayout.Code.Of((ulong)EventCode.GuestEventFault) | ViommuEventLayout.GuestIDAt32.Of(guest.Id)
                    | ViommuEventLayout.VEvent.Mask | ViommuEventLayout.IsPpr.Of(ring == GuestRing.Ppr ? 1UL : 0),
                0));
        }
    }

    private void Hardware(VirtualIommu guest, byte source, ulong reason, ulong address)
    {
        if (guest.IsFirstError(source))
        {
            log.Append(new IommuEvent(
                EventLayout.Code.Of((ulong)EventCode.ViommuHardwareError) | ViommuEventLayout.GuestID.Of(guest.Id)
                    | ViommuEventLayout.Source.Of(source) | reason,
                address));
        }
    }
}
