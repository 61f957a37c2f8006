using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;

namespace FastNest.Benchmarks;

/// <summary>Adds operations per second.</summary>
internal sealed class Throughput : ManualConfig
{
    public Throughput() => AddColumn(StatisticColumn.OperationsPerSecond);
}
