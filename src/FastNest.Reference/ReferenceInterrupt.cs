namespace FastNest.Reference;

/// <summary>What the IOMMU signals an interrupt for.</summary>
public enum ReferenceInterrupt
{
    /// <summary>An event was logged, or the event log overflowed.</summary>
    EventLog,

    /// <summary>A COMPLETION_WAIT with its I bit set was executed.</summary>
    CompletionWait,

    /// <summary>A page request was logged, or the PPR log overflowed.</summary>
    Ppr,
}
