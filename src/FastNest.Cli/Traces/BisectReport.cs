using System.Text.Json.Serialization;
using FastNest.Cli.Explanations;
using FastNest.Cli.Replays;
using FastNest.Reference;

namespace FastNest.Cli.Traces;

/// <summary>Where two runs of a trace differ first; its JSON form is a contract.</summary>
/// <param name="Trace">The file's name.</param>
/// <param name="Left">One run.</param>
/// <param name="Right">The other.</param>
/// <param name="Records">Records on which they agree, from the first.</param>
/// <param name="Requests">Requests on which they agree, from the first.</param>
/// <param name="Difference">The first difference; null when there is none.</param>
internal sealed record BisectReport(string Trace, string Left, string Right, long Records, long Requests, TraceDifference? Difference);

/// <summary>The first difference of two runs.</summary>
/// <param name="Kind">request, register, dirty bit or memory.</param>
/// <param name="Offset">Where the record stands in the file.</param>
/// <param name="What">What was asked.</param>
internal sealed record TraceDifference(string Kind, long Offset, string What)
{
    /// <summary>The record's number, from 1.</summary>
    public long Record { get; init; }

    /// <summary>Which of the record's answers differs, from 0.</summary>
    public int Index { get; init; }

    public string Left { get; init; } = "";

    public string Right { get; init; } = "";

    public string Recorded { get; init; } = "";

    /// <summary>Of a request: how the reference comes to an answer from the tables as they are in memory.</summary>
    [JsonIgnore]
    public ReferenceAnswer? Tables { get; init; }

    /// <summary>That answer.</summary>
    [JsonPropertyName("tables")]
    public string? TablesAnswer => Tables is null ? null : Answer.Of(Tables).ToString();

    /// <summary>The entries that it read.</summary>
    public IReadOnlyList<StepJson> Steps => [.. (Tables?.Steps ?? []).Select(StepJson.Of)];

    public string? Verdict => Tables?.Verdict;
}
