namespace FastNest.Amd.Viommu;

/// <summary>
/// Whose commands are executed next: each guest has turns of at most so many commands, one guest after the other, and what
/// that costs does not grow with the number of guests. Serialised by the owner of the host's registers.
/// </summary>
internal sealed class GuestScheduler(ViommuParts parts, int turn)
{
    private readonly Queue<VirtualIommu> _ready = new();

    /// <summary>How many guests could have a turn now.</summary>
    public int Ready => parts.RunsCommands ? _ready.Count : 0;

    /// <summary>Guests' commands executed since the start.</summary>
    public long Executed { get; private set; }

    /// <summary>A guest may have commands: it has a turn now, and waits for another if that was not enough.</summary>
    public void Ring(VirtualIommu guest)
    {
        if (guest.HasWork && parts.RunsCommands)
        {
            Executed += guest.RunTurn(turn);
            MarkDirty(guest);
        }

        if (guest.HasWork && !guest.IsQueued)
        {
            guest.IsQueued = true;
            _ready.Enqueue(guest);
        }
    }

    /// <summary>Gives the guest that has waited longest its turn.</summary>
    public void RunNext()
    {
        if (parts.RunsCommands && _ready.TryDequeue(out VirtualIommu? guest))
        {
            guest.IsQueued = false;
            Ring(guest);
        }
    }

    /// <summary>Reading 103: where the dirty status is not mapped, nobody asks for it.</summary>
    private void MarkDirty(VirtualIommu guest)
    {
        (ulong address, ulong bit) = PrivateLayout.Dirty(guest.Id);
        parts.Memory.TryAssign(parts.Iommu, address, bit, true, out _);
    }
}
