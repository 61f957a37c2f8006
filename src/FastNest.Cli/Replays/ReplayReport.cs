using System.Text.Json.Serialization;

namespace FastNest.Cli.Replays;

/// <summary>How a capture's requests were answered; its JSON form is a contract.</summary>
internal sealed record ReplayReport(
    string Capture,
    int Requests,
    int RecordedErrors,
    int Agreed,
    int Disagreed,
    Score Reference,
    IReadOnlyList<StrategyScore> Strategies)
{
    [JsonIgnore]
    public IReadOnlyList<Disagreement> Disagreements { get; init; } = [];

    [JsonIgnore]
    public bool AllAgreed => Disagreed == 0 && Reference.Disagreed == 0;
}

/// <summary>How many answers agreed with the recorded ones.</summary>
internal sealed record Score(int Agreed, int Disagreed)
{
    public static Score Of(bool[] agrees)
    {
        int agreed = agrees.Count(agreed => agreed);
        return new(agreed, agrees.Length - agreed);
    }
}

/// <summary>The score of a strategy, with its median time.</summary>
internal sealed record StrategyScore(string Name, int Agreed, int Disagreed, double NsPerTranslation);
