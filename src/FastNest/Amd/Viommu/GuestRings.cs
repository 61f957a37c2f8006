using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd.Viommu;

/// <summary>
/// One of a guest's rings: at guest physical addresses behind the table that TranslateDevID names, or in its slot of the private
/// address space (digest section 8.5). What cannot be reached is told to the host as well.
/// </summary>
internal readonly struct GuestRings(VirtualIommu guest, GuestRing kind, ViommuParts parts) : IRingMemory
{
    public bool TryLoadEntry(in RingGeometry ring, ulong offset, out ulong word0, out ulong word1)
    {
        word0 = word1 = 0;
        if (TryPlace(in ring, offset, out DeviceId through, out ulong address)
            && guest.Fetch.TryLoad(through, address, guest.CommandsAhead(in ring, offset), out word0, out word1))
        {
            return true;
        }

        parts.Errors.Fetch(guest, ring.Base + offset);
        return false;
    }

    public bool TryStoreEntry(in RingGeometry ring, ulong offset, ulong word0, ulong word1)
    {
        if (TryPlace(in ring, offset, out DeviceId through, out ulong address)
            && parts.Memory.TryStore(through, address, word0, word1))
        {
            return true;
        }

        parts.Errors.Log(guest, kind);
        return false;
    }

    public bool TryStore(ulong address, ulong value)
    {
        guest.Fetch.Drop(); // a guest may store into its own ring
        if (guest.TryTranslateThrough(out DeviceId through) && parts.Memory.TryStore(through, address, value))
        {
            return true;
        }

        parts.Errors.Store(guest, address);
        return false;
    }

    private bool TryPlace(in RingGeometry ring, ulong offset, out DeviceId through, out ulong address)
    {
        if (parts.RingsAreGuestPhysical)
        {
            address = ring.Base + offset;
            return guest.TryTranslateThrough(out through);
        }

        address = PrivateLayout.Ring(kind, guest.Id) + offset;
        through = parts.Iommu;
        return true;
    }
}
