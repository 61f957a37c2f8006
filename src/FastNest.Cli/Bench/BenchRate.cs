namespace FastNest.Cli.Bench;

/// <summary>A measured rate, time or ratio: the median, least and most of all rounds.</summary>
internal sealed record BenchRate(string Name, string Unit, double Value, double Min, double Max);
