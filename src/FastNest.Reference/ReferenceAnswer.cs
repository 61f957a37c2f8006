using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>The answer to one request, with everything that led to it.</summary>
public sealed class ReferenceAnswer
{
    /// <summary>What was asked.</summary>
    public required TranslationRequest Request { get; init; }

    /// <summary>The full output address; null when refused.</summary>
    public ulong? OutputAddress { get; init; }

    /// <summary>
    /// log2 of the naturally aligned region around the device address for which this answer holds, 12 to 64; 0 when refused.
    /// </summary>
    public int PageShift { get; init; }

    /// <summary>What the translation grants, to an ATS request perhaps less than it asked for; nothing when refused.</summary>
    public Access Permissions { get; init; }

    /// <summary>Whether this is a write to the interrupt window.</summary>
    public bool IsMessage { get; init; }

    /// <summary>The event of a refusal, before any suppression; null when granted, or when an ATS request is refused without one.</summary>
    public ReferenceEvent? Event { get; init; }

    /// <summary>Every entry read, in order.</summary>
    public required IReadOnlyList<ReferenceStep> Steps { get; init; }

    /// <summary>The entries that hardware marks, each once; empty when refused.</summary>
    public IReadOnlyList<ReferenceUpdate> Updates { get; init; } = [];

    /// <summary>Why it was decided so, in one line.</summary>
    public required string Verdict { get; init; }

    /// <summary>What the device table entry says of the logging of page faults.</summary>
    internal Suppression Suppression { get; init; }
}

/// <summary>DTE.SA and DTE.SE.</summary>
internal enum Suppression
{
    None,
    AfterFirst,
    All,
}
