using BenchmarkDotNet.Attributes;
using FastNest.Cli.Bench;

namespace FastNest.Benchmarks;

#pragma warning disable CA1063 // The harness derives from benchmark classes; there is nothing else to dispose of.
/// <summary>
/// The scenarios of <c>fastnest bench</c>, every contender of it: strategies, the floor's kernels and the shapes of peers. Floors
/// with one name are numbered: instruction sets, in registers and ahead.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(Throughput))]
public class ScenarioBenchmarks : IDisposable
{
    private const int Requests = 1 << 16;

    private BenchMachine? _machine;
    private IContender? _contender;

    public static IEnumerable<string> Scenarios => Scenario.All.Select(static scenario => scenario.Name);

    [ParamsSource(nameof(Scenarios))]
    public string Name { get; set; } = "";

    /// <summary>The contender's name, or its name and number.</summary>
    [Params("naive", "scalar", "auto", "limit 0", "limit 1", "limit 2", "limit 3", "limit 4", "limit 5", "peer-hashmap", "peer-setassoc")]
    public string Contender { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        Scenario scenario = Scenario.All.Single(one => one.Name == Name);
        _machine = new(scenario.Pages, scenario.Devices, scenario.IsNested);
        string[] parts = Contender.Split(' ');
        int number = parts.Length == 1 ? 0 : int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture);
        foreach (IContender contender in Comparison.Contenders(scenario, new(_machine, scenario.Pattern, Requests)))
        {
            if (_contender is null && contender.Name == parts[0] && number-- == 0)
            {
                _contender = contender;
            }
            else
            {
                contender.Dispose();
            }
        }

        _contender?.Run();
        if (_contender?.IsRight() == false)
        {
            throw new InvalidOperationException("a wrong address");
        }
    }

    /// <summary>Per translation; fails where the scenario has no such contender.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public void Translate() => _contender!.Run();

    [GlobalCleanup]
    public void Dispose()
    {
        _contender?.Dispose();
        _machine?.Dispose();
        GC.SuppressFinalize(this);
    }
}
