using BenchmarkDotNet.Attributes;
using FastNest.Cli.Bench;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Benchmarks;

#pragma warning disable CA1063 // The harness derives from benchmark classes; there is nothing else to dispose of.
/// <summary>Nested translations of random pages, in batches of 256, with every cache and with none.</summary>
[MemoryDiagnoser]
public class TranslationBenchmarks : IDisposable
{
    private const int Batch = 256;
    private const int Requests = 1 << 16;

    private readonly ulong[] _iovas = new ulong[Requests];
    private readonly TranslationResult[] _results = new TranslationResult[Batch];
    private BenchMachine? _machine;
    private TranslationPort? _port;

    /// <summary>Pages of 4 KiB that requests choose from.</summary>
    [Params(1 << 10, 1 << 16, 1 << 20)]
    public int Pages { get; set; }

    /// <summary>Whether the port has caches.</summary>
    [Params(false, true)]
    public bool Caches { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _machine = new(Pages, devices: 1, isNested: true);
        _port = _machine.Iommu.OpenPort(Caches ? new() : CacheOptions.None);
        var random = new Random(2);
        for (int i = 0; i < Requests; i++)
        {
            _iovas[i] = _machine.Iova(random.Next(Pages)) | (uint)random.Next(4096);
        }

        Translate();
        if (!_results.All(result => result.Succeeded))
        {
            throw new InvalidOperationException("a page is not mapped");
        }
    }

    [Benchmark(OperationsPerInvoke = Requests)]
    public void Translate()
    {
        for (int done = 0; done < Requests; done += Batch)
        {
            _port!.Translate(_machine!.Requester(0), _iovas.AsSpan(done, Batch), Access.Read, _results);
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _port?.Dispose();
        _machine?.Dispose();
        GC.SuppressFinalize(this);
    }
}
