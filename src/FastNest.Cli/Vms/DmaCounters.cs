namespace FastNest.Cli.Vms;

/// <summary>What a VM's devices did; written by the devices' thread.</summary>
internal sealed class DmaCounters
{
    /// <summary>Addresses translated in batches; those of transfers come on top.</summary>
    public long Translations;

    public long Reads;
    public long Writes;
    public long Bytes;

    /// <summary>Requests refused, as those of pages that are not mapped must be.</summary>
    public long Faults;

    /// <summary>Those of them of pages that were mapped all the time.</summary>
    public long WrongFaults;

    /// <summary>Answers and contents of what was not mapped there any more.</summary>
    public long StaleReads;

    /// <summary>Answers and contents that were another VM's.</summary>
    public long ForeignReads;

    /// <summary>Contents without what the device wrote before.</summary>
    public long LostWrites;
}
