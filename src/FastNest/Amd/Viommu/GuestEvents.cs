using FastNest.Amd.DeviceTable;
using FastNest.Amd.Events;
using FastNest.Amd.Pprs;
using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Which of a guest's devices' faults and page requests the guest is told of, in its own terms (digest section 8.8). Any thread.
/// </summary>
internal sealed class GuestEvents(GuestDirectory guests, ViommuParts parts)
{
    /// <summary>Gives the guest a fault that its own tables caused (reading 100); marks any other as one of a guest's device.</summary>
    /// <param name="entry">The event, in the host's terms.</param>
    /// <param name="note">The device table entry's quadword that names the guest; 0 for a device of the host.</param>
    /// <returns>Whether the guest was told, and the host must not be.</returns>
    public bool TryTake(ref IommuEvent entry, ulong note)
    {
        if (note == 0 || !parts.ServesGuests || entry.Code == EventCode.IllegalDevTableEntry)
        {
            return false;
        }

        VirtualIommu? guest = guests.Find((ushort)Dte.GuestID.Get(note));
        if (entry.Code != EventCode.IoPageFault)
        {
            entry = entry with { Word0 = entry.Word0 | ViommuEventLayout.VEvent.Mask };
            return false;
        }

        ulong inGuestTerms = EventLayout.DeviceID.With(entry.Word0, Dte.GDeviceID.Get(note));
        if (entry.GN)
        {
            guest?.Events.Append(entry with { Word0 = inGuestTerms });
            return true;
        }

        // The host's domain is none of the guest's.
        guest?.Withhold(entry with { Word0 = EventLayout.DomainID.With(inGuestTerms, 0) });
        entry = entry with { Word0 = entry.Word0 | ViommuEventLayout.VEvent.Mask };
        return false;
    }

    /// <summary>Gives the guest a page request of its device (reading 105).</summary>
    /// <returns>False for a device of the host.</returns>
    public bool TryTake(in PageRequest request, ulong note)
    {
        if (note == 0 || !parts.ServesGuests)
        {
            return false;
        }

        var named = new DeviceId((uint)Dte.GDeviceID.Get(note));
        VirtualIommu? guest = guests.Find((ushort)Dte.GuestID.Get(note));
        if (guest is { TakesPageRequests: true })
        {
            guest.Pprs.Append(in request, named);
        }
        else
        {
            guest?.Events.Append(PprLayout.Invalid(request with { Device = named }));
        }

        return true;
    }
}
