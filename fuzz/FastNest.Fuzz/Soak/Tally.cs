namespace FastNest.Fuzz.Soak;

/// <summary>Counts of all threads of a soak.</summary>
internal sealed class Tally
{
    private long _translations;
    private long _invalidations;
    private long _ports;
    private long _violations;
    private string? _first;

    public void CountTranslations(int count) => Interlocked.Add(ref _translations, count);

    public void CountInvalidation() => Interlocked.Increment(ref _invalidations);

    public void CountPort() => Interlocked.Increment(ref _ports);

    public void Violation(string words)
    {
        Interlocked.Increment(ref _violations);
        Interlocked.CompareExchange(ref _first, words, null);
    }

    public SoakReport Report() => new(_translations, _invalidations, _ports, _violations, _first);
}
