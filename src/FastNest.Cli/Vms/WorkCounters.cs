namespace FastNest.Cli.Vms;

/// <summary>What a VM's processor and the host did; written by the host's thread.</summary>
internal sealed class WorkCounters
{
    /// <summary>Commands put into the ring after the start.</summary>
    public long Commands;

    public long Invalidations;
    public long Waits;

    /// <summary>Waits whose store did not come.</summary>
    public long Timeouts;

    /// <summary>Pages mapped, unmapped, or exchanged for others.</summary>
    public long Remaps;

    /// <summary>Events in the VM's own log.</summary>
    public long Events;

    /// <summary>Those of them that name another's device or address, or are none that the scenario causes.</summary>
    public long ForeignEvents;

    public long EventOverflows;

    /// <summary>Events that the VM was told of by its VMM: the host's tables refused its devices.</summary>
    public long HostFaults;

    /// <summary>Parts of its memory that the host moved.</summary>
    public long Migrations;

    /// <summary>Writes of a device that arrived after the invalidation of what led there was complete.</summary>
    public long StaleWrites;
}
