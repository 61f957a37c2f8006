using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>One entry read on the way to an answer.</summary>
public sealed class ReferenceStep
{
    /// <summary>What it is: <c>DTE</c>, <c>GCR3 L1</c>, <c>guest L4</c>, <c>host L3</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The stage it belongs to.</summary>
    public required ReferenceStage Stage { get; init; }

    /// <summary>The table's level, 1 to 6; 0 for the device table.</summary>
    public required int Level { get; init; }

    /// <summary>
    /// In a nested walk, the guest physical address at hand: for a guest entry its own, for a host entry the one being
    /// translated. Null where there is none.
    /// </summary>
    public ulong? Gpa { get; init; }

    /// <summary>The system physical address the entry was read from.</summary>
    public required ulong Spa { get; init; }

    /// <summary>Its quadwords, four for a DTE; empty when memory does not exist there.</summary>
    public IReadOnlyList<ulong> Raw { get; init; } = [];

    /// <summary>Its fields.</summary>
    public IReadOnlyList<ReferenceField> Fields { get; init; } = [];

    /// <summary>What this walk still grants after this entry.</summary>
    public Access Permissions { get; init; }

    /// <summary>Why the walk went on or stopped here.</summary>
    public required string Note { get; init; }
}
