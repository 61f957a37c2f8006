namespace FastNest.Cli.Bench;

/// <summary>What is compared.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Pages">Pages of 4 KiB.</param>
/// <param name="Pattern">random or sequential.</param>
/// <param name="Devices">How many devices share the pages.</param>
/// <param name="IsNested">Whether there are guest tables.</param>
/// <param name="HasCaches">Whether the engine's caches are on.</param>
/// <param name="Limit">The floor's kernel.</param>
internal sealed record Scenario(
    string Name, int Pages, string Pattern, int Devices, bool IsNested, bool HasCaches, LimitKind Limit)
{
    public static IReadOnlyList<Scenario> All { get; } =
    [
        new("iotlb-hit-4k", 1 << 12, "random", 1, true, true, LimitKind.Iotlb),
        new("nested-64k-random", 1 << 16, "random", 1, true, true, LimitKind.NestedTables),
        new("nested-1m-random", 1 << 20, "random", 1, true, true, LimitKind.NestedTables),
        new("nested-1m-random-cold-caches", 1 << 20, "random", 1, true, false, LimitKind.NestedWalk),
        new("nested-1m-sequential", 1 << 20, "sequential", 1, true, true, LimitKind.NestedTables),
        new("one-stage-1m-random", 1 << 20, "random", 1, false, true, LimitKind.HostTables),
        new("mixed-devices-64k", 1 << 16, "random", 64, true, true, LimitKind.NestedTables),
    ];
}
