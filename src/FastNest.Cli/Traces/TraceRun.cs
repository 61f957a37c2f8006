using FastNest.Cli.Strategies;
using FastNest.Engine;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>A way to answer the records of a trace.</summary>
/// <param name="Name">What the command line calls it.</param>
/// <param name="Caches">The caches of its ports; null for the recorded ones.</param>
/// <param name="Walks">How its batches are walked; null for the recorded way.</param>
internal sealed record TraceRun(string Name, CacheOptions? Caches, WalkStrategy? Walks)
{
    /// <summary>The answers in the trace: nothing runs.</summary>
    public static TraceRun Recorded { get; } = new("recorded", null, null);

    /// <summary>The caches and the strategy that each recorded port had.</summary>
    public static TraceRun Same { get; } = new("same", null, null);

    /// <summary>Every way that runs something.</summary>
    public static IReadOnlyList<TraceRun> All { get; } = [Same, .. Strategy.All.Select(Of)];

    public static TraceRun Of(Strategy strategy) => new(strategy.Name, strategy.Caches, strategy.Walks);

    /// <summary>A machine that answers this way; null for the recorded answers.</summary>
    public TracePlayer? Play(TraceHeader header) => this == Recorded ? null : new(header, Caches, Walks);
}
