using System.Text.Json.Serialization;

namespace FastNest.Cli.Replays;

/// <summary>How a fresh IOMMU did under a recorded driver; its JSON form is a contract.</summary>
internal sealed record DriverReport
{
    public required string Capture { get; init; }

    /// <summary>Register reads.</summary>
    public int Reads { get; init; }

    public int ReadsAgreed { get; init; }

    /// <summary>Commands recorded.</summary>
    public int Commands { get; init; }

    /// <summary>Commands that the IOMMU executed.</summary>
    public long Executed { get; init; }

    /// <summary>Commands that the IOMMU refused.</summary>
    public int Illegal { get; init; }

    /// <summary>Register writes after which the recorded machine executed commands.</summary>
    public int Batches { get; init; }

    /// <summary>Those of them after which the head stood at the tail.</summary>
    public int HeadFollowed { get; init; }

    /// <summary>Completion stores recorded.</summary>
    public int Completions { get; init; }

    public int CompletionsDone { get; init; }

    [JsonIgnore]
    public IReadOnlyList<string> Disagreements { get; init; } = [];

    [JsonIgnore]
    public bool AllAgreed =>
        ReadsAgreed == Reads && Executed == Commands && Illegal == 0 && HeadFollowed == Batches && CompletionsDone == Completions;
}
