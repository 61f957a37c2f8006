namespace FastNest.Cli.Fuzzing;

/// <summary>What a campaign came to.</summary>
internal sealed record FuzzReport(int Seed, double Seconds, IReadOnlyList<FuzzTargetReport> Targets)
{
    /// <summary>How many inputs failed.</summary>
    public int Findings => Targets.Sum(target => target.Findings.Count);
}

/// <summary>What one target came to.</summary>
/// <param name="Target">Its name.</param>
/// <param name="Runs">Inputs.</param>
/// <param name="Translations">Translations compared.</param>
/// <param name="TranslationsPerSecond">Of the time spent on this target.</param>
/// <param name="Operations">Other operations compared.</param>
/// <param name="Features">Ways in which something happened.</param>
/// <param name="Kept">Inputs kept for what they showed first.</param>
/// <param name="Trace">The same for the same runs.</param>
/// <param name="Findings">Inputs that failed.</param>
internal sealed record FuzzTargetReport(
    string Target,
    long Runs,
    long Translations,
    double TranslationsPerSecond,
    long Operations,
    int Features,
    int Kept,
    string Trace,
    IReadOnlyList<FuzzFindingReport> Findings);

/// <summary>An input that failed.</summary>
/// <param name="File">Where it was written.</param>
/// <param name="Message">What was thrown.</param>
internal sealed record FuzzFindingReport(string File, string Message);
