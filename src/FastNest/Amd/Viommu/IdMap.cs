using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>The mapping tables from guests' device and domain ids to the host's (digest section 8.6).</summary>
internal sealed class IdMap(ViommuMemory memory, HostErrors errors, DeviceId iommu)
{
    /// <summary>Finds the host's device; a missing entry is told to the host (reading 97).</summary>
    /// <returns>False when the guest has no such device, or it is mapped to none (reading 95).</returns>
    public bool TryFindDevice(VirtualIommu guest, ushort id, out DeviceId device)
    {
        bool found = TryFind(guest, PrivateLayout.DeviceId(guest.Id, id), out ushort host);
        device = new(host);
        return found && host != 0;
    }

    /// <summary>Finds the host's domain; a missing entry is told to the host (reading 97).</summary>
    public bool TryFindDomain(VirtualIommu guest, ushort id, out ushort domain) =>
        TryFind(guest, PrivateLayout.DomainId(guest.Id, id), out domain);

    /// <summary>Maps a device, or takes the mapping away.</summary>
    public void SetDevice(VirtualIommu guest, ushort id, bool valid, ushort host)
    {
        ulong at = PrivateLayout.DeviceId(guest.Id, id);
        Tell(guest, at, memory.TryStore(iommu, at, PrivateLayout.Entry(valid, host), 0));
    }

    /// <summary>Maps a domain, or takes the mapping away.</summary>
    public void SetDomain(VirtualIommu guest, ushort id, bool valid, ushort host)
    {
        ulong at = PrivateLayout.DomainId(guest.Id, id);
        Tell(guest, at, memory.TryStore(iommu, at, PrivateLayout.Entry(valid, host)));
    }

    private bool TryFind(VirtualIommu guest, ulong at, out ushort host)
    {
        bool found = memory.TryLoad(iommu, at, out ulong entry) && PrivateLayout.Valid.IsSet(entry);
        host = (ushort)PrivateLayout.HostId.Get(entry);
        if (!found)
        {
            errors.Mapping(guest, ViommuEventLayout.VCmd, at);
        }

        return found;
    }

    private void Tell(VirtualIommu guest, ulong at, bool stored)
    {
        if (!stored)
        {
            errors.Mapping(guest, ViommuEventLayout.VPtr, at);
        }
    }
}
