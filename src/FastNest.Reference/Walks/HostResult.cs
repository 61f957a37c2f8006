using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>A completed host walk: where it leads and what DTE and entries grant together, not judged yet.</summary>
internal sealed record HostResult(ulong Spa, int Shift, Access Permissions, IReadOnlyList<HostEntry> Entries);

/// <summary>A host entry that a walk used.</summary>
internal readonly record struct HostEntry(ulong Spa, ulong Raw, bool IsLeaf);
