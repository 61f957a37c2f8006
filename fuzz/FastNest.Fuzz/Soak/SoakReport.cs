namespace FastNest.Fuzz.Soak;

/// <summary>What a soak did and what it found.</summary>
/// <param name="Translations">Translations checked.</param>
/// <param name="Invalidations">Invalidations waited for.</param>
/// <param name="Ports">Ports opened.</param>
/// <param name="Violations">Translations that were refused, stale or of the future; 0 is right.</param>
/// <param name="First">The first violation in words, or null.</param>
public sealed record SoakReport(long Translations, long Invalidations, long Ports, long Violations, string? First);
