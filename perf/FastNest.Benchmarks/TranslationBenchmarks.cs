using BenchmarkDotNet.Attributes;
using FastNest.Cli.Bench;
using FastNest.Engine;

namespace FastNest.Benchmarks;

#pragma warning disable CA1063 // The harness derives from benchmark classes; there is nothing else to dispose of.
/// <summary>
/// Translations in batches of 256: every strategy, working set, pattern and size of pages, with every cache and with none, on one port or on
/// two threads with a port each. Choose with <c>--filter</c>: the whole matrix takes hours.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(Throughput))]
public class TranslationBenchmarks : IDisposable
{
    private const int Requests = 1 << 16;

    private BenchMachine? _machine;
    private EngineContender[] _ports = [];

    public static IEnumerable<WalkStrategy> Strategies => [.. WalkStrategies.Supported, WalkStrategy.Auto];

    public static IEnumerable<string> Patterns => Workload.Patterns;

    [ParamsSource(nameof(Strategies))]
    public WalkStrategy Strategy { get; set; }

    /// <summary>Pages of 4 KiB that requests choose from.</summary>
    [Params(1 << 10, 1 << 16, 1 << 20, 1 << 22)]
    public int Pages { get; set; }

    [ParamsSource(nameof(Patterns))]
    public string Pattern { get; set; } = "random";

    /// <summary>Whether the ports have caches.</summary>
    [Params(true, false)]
    public bool Caches { get; set; }

    /// <summary>Whether there are guest tables over the host's.</summary>
    [Params(true, false)]
    public bool Nested { get; set; }

    /// <summary>How large the pages are.</summary>
    [Params(PageSizes.Small, PageSizes.Large, PageSizes.Mixed)]
    public PageSizes Sizes { get; set; }

    /// <summary>How many threads translate, each with its port.</summary>
    [Params(1, 2)]
    public int Ports { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _machine = new(Pages, devices: 1, Nested, Sizes);
        var workload = new Workload(_machine, Pattern, Requests);
        _ports =
        [
            .. Enumerable.Range(0, Ports).Select(i => new EngineContender($"port {i}", workload, Caches ? new() : CacheOptions.None, Strategy)),
        ];
        foreach (EngineContender port in _ports)
        {
            port.Run();
            if (!port.IsRight())
            {
                throw new InvalidOperationException("a wrong address");
            }
        }
    }

    /// <summary>Per translation of one port.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public void Translate()
    {
        if (Ports == 1)
        {
            _ports[0].Run();
            return;
        }

        Parallel.ForEach(_ports, static port => port.Run());
    }

    [GlobalCleanup]
    public void Dispose()
    {
        foreach (EngineContender port in _ports)
        {
            port.Dispose();
        }

        _machine?.Dispose();
        GC.SuppressFinalize(this);
    }
}
