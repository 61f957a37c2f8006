using System.Text.Json.Serialization;

namespace FastNest.Cli.Traces;

/// <summary>How a trace was answered; its JSON form is a contract.</summary>
/// <param name="Trace">The file's name.</param>
/// <param name="Records">Records in it.</param>
/// <param name="Requests">Requests in it.</param>
/// <param name="Reads">Reads of registers and of dirty bits.</param>
/// <param name="Hashes">Hashes of memory.</param>
/// <param name="Strategies">How each strategy did.</param>
internal sealed record TraceReport(
    string Trace, long Records, long Requests, long Reads, long Hashes, IReadOnlyList<TraceScore> Strategies)
{
    [JsonIgnore]
    public bool AllAgreed => Strategies.All(score => score.Disagreed == 0);
}

/// <summary>How many records a strategy answered as recorded, of those that have answers.</summary>
/// <param name="Name">The strategy.</param>
/// <param name="Agreed">How many agreed in all their answers.</param>
/// <param name="Disagreed">How many did not.</param>
/// <param name="First">The record number of the first that did not, counted from 1; null if all agreed.</param>
internal sealed record TraceScore(string Name, long Agreed, long Disagreed, long? First);
