using FastNest.Engine;

namespace FastNest.Cli.Strategies;

/// <summary>A named way in which the engine answers requests.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Caches">The caches of its ports.</param>
internal sealed record Strategy(string Name, CacheOptions Caches)
{
    /// <summary>Every strategy; a new one is a row here.</summary>
    public static IReadOnlyList<Strategy> All { get; } =
    [
        new("naive", CacheOptions.None), // Every request walks the tables.
        new("scalar", new CacheOptions()),
    ];

    public static string Names => string.Join(", ", All.Select(strategy => strategy.Name));
}
