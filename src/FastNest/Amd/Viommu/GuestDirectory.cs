namespace FastNest.Amd.Viommu;

/// <summary>The guests by id. A guest has state from the first write to its registers on until it is reset.</summary>
internal sealed class GuestDirectory(ViommuParts parts)
{
    private readonly VirtualIommu?[] _guests = new VirtualIommu?[1 << 16];

    /// <summary>A guest that is not in its reset state, or null. Any thread.</summary>
    public VirtualIommu? Find(ushort id) => Volatile.Read(ref _guests[id]);

    /// <summary>A guest, made in its reset state if need be. Serialised by the owner of the host's registers.</summary>
    public VirtualIommu Open(ushort id)
    {
        if (_guests[id] is not { } guest)
        {
            guest = new(id, parts);
            Volatile.Write(ref _guests[id], guest);
        }

        return guest;
    }

    /// <summary>RESET_VMMIO (reading 102). Serialised by the owner of the host's registers.</summary>
    public void Reset(ushort id, bool everything, bool commands)
    {
        if (Find(id) is not { } guest)
        {
            return;
        }

        if (everything)
        {
            guest.Retire();
            Volatile.Write(ref _guests[id], null);
        }
        else if (commands)
        {
            guest.ResetCommands();
        }
    }
}
