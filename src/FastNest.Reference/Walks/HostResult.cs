using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>
/// A completed host walk: where it leads, what DTE and entries grant together, not judged yet, and whether there is a leaf
/// without its Dirty bit.
/// </summary>
internal sealed record HostResult(ulong Spa, int Shift, Access Permissions, bool LacksDirty, IReadOnlyList<HostEntry> Entries);

/// <summary>A host entry that a walk used.</summary>
internal readonly record struct HostEntry(ulong Spa, ulong Raw, bool IsLeaf);

/// <summary>Where a host walk stands: everything that the rest of it depends on.</summary>
internal readonly record struct HostPoint(int Level, ulong Table, Access Granted);

/// <summary>What one entry leads to: one of <see cref="Next"/>, <see cref="End"/> and <see cref="Refusal"/>.</summary>
internal sealed record HostStep(string Note, Access Granted)
{
    public HostPoint? Next { get; init; }

    public HostResult? End { get; init; }

    public Refusal? Refusal { get; init; }
}
