namespace FastNest.Reference.Walks;

/// <summary>A guest table entry that a walk used, and the host walk of the address it lies at.</summary>
internal sealed record GuestEntry(ulong Gpa, ulong Spa, ulong Raw, bool IsLeaf, HostResult Via);
