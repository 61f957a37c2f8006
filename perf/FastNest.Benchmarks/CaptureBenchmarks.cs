using BenchmarkDotNet.Attributes;
using FastNest.Cli.Bench;
using FastNest.Cli.Captures;
using FastNest.Cli.Replays;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Benchmarks;

#pragma warning disable CA1063 // The harness derives from benchmark classes; there is nothing else to dispose of.
/// <summary>The requests of the recorded Linux guest that comes with the tool, in their order, in batches of 256.</summary>
[MemoryDiagnoser]
[Config(typeof(Throughput))]
public class CaptureBenchmarks : IDisposable
{
    private readonly TranslationResult[] _results = new TranslationResult[Workload.Batch];
    private Machine? _machine;
    private TranslationPort? _port;
    private TranslationRequest[] _requests = [];

    public static IEnumerable<WalkStrategy> Strategies => TranslationBenchmarks.Strategies;

    [ParamsSource(nameof(Strategies))]
    public WalkStrategy Strategy { get; set; }

    /// <summary>Whether the port has caches.</summary>
    [Params(true, false)]
    public bool Caches { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        CaptureFolder folder = CaptureFolder.Open(null);
        _machine = Machine.Restore(folder, folder.Registers());
        _port = _machine.Iommu.OpenPort(Caches ? new() : CacheOptions.None, Strategy);

        // A refusal is logged, and a log that is full is another matter.
        _requests = [.. folder.Requests().Select(static recorded => recorded.Request).Where(request => _port.Translate(in request).Succeeded)];
    }

    /// <summary>Every request once.</summary>
    /// <returns>How many there are: time per request is time per call over this.</returns>
    [Benchmark]
    public int Translate()
    {
        for (int done = 0; done < _requests.Length; done += Workload.Batch)
        {
            _port!.Translate(_requests.AsSpan(done, Math.Min(Workload.Batch, _requests.Length - done)), _results);
        }

        return _requests.Length;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _port?.Dispose();
        _machine?.Dispose();
        GC.SuppressFinalize(this);
    }
}
