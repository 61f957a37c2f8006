namespace FastNest.Fuzz.Targets;

/// <summary>What the engine and the reference must have in common.</summary>
internal static class Agreement
{
    /// <exception cref="DisagreementException">It is not so.</exception>
    public static void Require(bool agree, string difference)
    {
        if (!agree)
        {
            throw new DisagreementException(difference);
        }
    }

    /// <exception cref="DisagreementException">The values differ.</exception>
    public static void RequireSame<T>(T expected, T actual) =>
        Require(EqualityComparer<T>.Default.Equals(expected, actual), $"{actual}, reference {expected}");
}
