using FastNest.Cli.Captures;
using FastNest.Reference;

namespace FastNest.Cli.Replays;

/// <summary>A request of which at least one answer is not the one that must be given.</summary>
/// <param name="Recorded">The request.</param>
/// <param name="Answers">Every answer given.</param>
/// <param name="Reference">Why the reference answers as it does.</param>
internal sealed record Disagreement(RecordedRequest Recorded, IReadOnlyList<GivenAnswer> Answers, ReferenceAnswer Reference)
{
    /// <summary>How many are explained at most.</summary>
    public const int Shown = 10;
}

/// <summary>The answer of one strategy or of the reference.</summary>
internal sealed record GivenAnswer(string By, Answer Answer, bool Agrees)
{
    /// <summary>Judges an answer by the reference's: every part of it must be the same.</summary>
    public static GivenAnswer Judge(string by, Answer answer, Answer reference) => new(by, answer, answer == reference);
}
