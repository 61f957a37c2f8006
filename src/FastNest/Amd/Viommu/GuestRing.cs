namespace FastNest.Amd.Viommu;

/// <summary>Which of a guest's rings; also the source in the error events about it (reading 99).</summary>
internal enum GuestRing : byte
{
    /// <summary>The command buffer.</summary>
    Command = 1,

    /// <summary>The event log.</summary>
    Event = 2,

    /// <summary>The PPR log.</summary>
    Ppr = 3,
}
