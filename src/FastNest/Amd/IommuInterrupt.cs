namespace FastNest.Amd;

/// <summary>Why an IOMMU interrupts.</summary>
[Flags]
public enum IommuInterrupt
{
    /// <summary>It does not.</summary>
    None = 0,

    /// <summary>The event log has a new entry, or overflowed.</summary>
    EventLog = 1,

    /// <summary>A COMPLETION_WAIT command that asked for it is done.</summary>
    CompletionWait = 2,

    /// <summary>The PPR log has a new entry, or overflowed.</summary>
    PprLog = 4,
}
