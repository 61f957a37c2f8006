namespace FastNest.Reference;

/// <summary>What became of a page request.</summary>
public enum ReferencePageOutcome
{
    /// <summary>The IOMMU is off.</summary>
    Dropped,

    /// <summary>It was not accepted: there is an event.</summary>
    Refused,

    /// <summary>It stands in the PPR log.</summary>
    Logged,

    /// <summary>It was accepted, but the log could not take it.</summary>
    Lost,

    /// <summary>It was answered by the IOMMU itself.</summary>
    Answered,
}
