using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>Where a walk through one stage ended.</summary>
internal struct WalkResult
{
    /// <summary>The output address, or the address of the entry that does not exist for a table that is unreadable.</summary>
    public ulong Address;

    /// <summary><see cref="FaultReason.None"/> when a leaf was found.</summary>
    public FaultReason Reason;

    /// <summary>What every entry on the way permits together.</summary>
    public Access Permissions;

    /// <summary>log2 of the leaf's size.</summary>
    public byte PageShift;
}
