namespace FastNest.Cli.Bench;

/// <summary>What a comparison measured.</summary>
internal sealed record BenchReport(string Machine, int Rounds, IReadOnlyList<BenchScenario> Scenarios, IReadOnlyList<BenchRate> Rates);

/// <summary>One scenario's figures.</summary>
internal sealed record BenchScenario(string Name, int Pages, string Pattern, IReadOnlyList<BenchFigure> Results);

/// <summary>The median, least and most of all rounds.</summary>
internal sealed record BenchFigure(string Strategy, double NsPerTranslation, double Min, double Max);
