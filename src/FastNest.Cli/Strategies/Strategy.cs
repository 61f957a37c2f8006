using FastNest.Engine;

namespace FastNest.Cli.Strategies;

/// <summary>A named way in which the engine answers requests.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Caches">The caches of its ports.</param>
/// <param name="Walks">How its batches are walked.</param>
internal sealed record Strategy(string Name, CacheOptions Caches, WalkStrategy Walks)
{
    /// <summary>Every strategy that this machine has the instructions for.</summary>
    public static IReadOnlyList<Strategy> All { get; } =
    [
        new("naive", CacheOptions.None, WalkStrategy.Scalar), // Every request walks the tables.
        .. WalkStrategies.Supported.Select(walks => new Strategy(walks.ToString().ToLowerInvariant(), new(), walks)),
        new("auto", new(), WalkStrategy.Auto),
    ];

    public static string Names => string.Join(", ", All.Select(strategy => strategy.Name));
}
