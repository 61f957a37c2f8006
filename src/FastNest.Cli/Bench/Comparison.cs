using System.Diagnostics;
using System.Globalization;
using FastNest.Engine;
using FastNest.Lanes;

namespace FastNest.Cli.Bench;

/// <summary>Runs all contenders of each scenario in turn, round after round, so that what disturbs one disturbs all.</summary>
internal static class Comparison
{
    private const int Requests = 1 << 16;
    private const int WarmUps = 3;

    public static BenchReport Run(bool quick, string? only)
    {
        int rounds = quick ? 7 : 21;
        var scenarios = new List<BenchScenario>();
        foreach (Scenario scenario in Scenario.All.Where(scenario => only is null || scenario.Name == only))
        {
            scenarios.Add(Run(scenario, rounds));
        }

        return new(MachineName(), rounds, scenarios, only is null ? Rates.Run(quick) : []);
    }

    /// <summary>One scenario.</summary>
    public static BenchScenario Run(Scenario scenario, int rounds)
    {
        using var machine = new BenchMachine(scenario.Pages, scenario.Devices, scenario.IsNested);
        var workload = new Workload(machine, scenario.Pattern, Requests);
        List<IContender> contenders = [.. Contenders(scenario, workload)];
        var times = contenders.ToDictionary(contender => contender, _ => new double[rounds]);
        foreach (IContender contender in contenders)
        {
            for (int i = 0; i < WarmUps; i++)
            {
                contender.Run();
            }

            if (!contender.IsRight())
            {
                throw new InvalidOperationException($"{scenario.Name}: {contender.Name} gives wrong addresses");
            }
        }

        for (int round = 0; round < rounds; round++)
        {
            foreach (IContender contender in contenders)
            {
                long start = Stopwatch.GetTimestamp();
                contender.Run();
                times[contender][round] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / workload.Iovas.Length;
            }
        }

        foreach (IContender contender in contenders)
        {
            Array.Sort(times[contender]);
            contender.Dispose();
        }

        return new(scenario.Name, scenario.Pages, scenario.Pattern, [.. Figures(contenders, times)]);
    }

    /// <summary>The floor is the best of its kernels.</summary>
    private static IEnumerable<BenchFigure> Figures(List<IContender> contenders, Dictionary<IContender, double[]> times) =>
        contenders
            .GroupBy(contender => contender.Name, contender => times[contender])
            .Select(group => Figure(group.Key, group.MinBy(Median)!));

    private static BenchFigure Figure(string name, double[] sorted) => new(name, Median(sorted), sorted[0], sorted[^1]);

    private static double Median(double[] sorted) => sorted[sorted.Length / 2];

    /// <summary>Every contender of a scenario, each with caches or a port of its own.</summary>
    public static IEnumerable<IContender> Contenders(Scenario scenario, Workload workload)
    {
        CacheOptions caches = scenario.HasCaches ? new() : CacheOptions.None;
        yield return new EngineContender("naive", workload, CacheOptions.None, WalkStrategy.Scalar);
        foreach (WalkStrategy strategy in WalkStrategies.Supported)
        {
            yield return new EngineContender(strategy.ToString().ToLowerInvariant(), workload, caches, strategy);
        }

        yield return new EngineContender("auto", workload, caches, WalkStrategy.Auto);
        if (scenario.Limit != LimitKind.Iotlb)
        {
            bool[] ways = scenario.Limit == LimitKind.HostTables ? [false, true] : [true];
            foreach (bool ahead in ways)
            {
                yield return new LimitAnswers<PortableLanes>(workload, scenario.Limit, ahead);
                if (Avx2Lanes.IsSupported)
                {
                    yield return new LimitAnswers<Avx2Lanes>(workload, scenario.Limit, ahead);
                }

                if (Avx512Lanes.IsSupported)
                {
                    yield return new LimitAnswers<Avx512Lanes>(workload, scenario.Limit, ahead);
                }
            }
        }

        if (workload.Machine.Devices == 1)
        {
            yield return new PeerHashMap(workload);
            yield return new PeerSetAssociative(workload);
            bool[] forms = scenario.Limit is LimitKind.NestedTables or LimitKind.HostTables ? [false, true] : [false];
            foreach (bool ahead in forms)
            {
                yield return new LimitContender<PortableLanes>(workload, scenario.Limit, ahead);
                if (Avx2Lanes.IsSupported)
                {
                    yield return new LimitContender<Avx2Lanes>(workload, scenario.Limit, ahead);
                }

                if (Avx512Lanes.IsSupported)
                {
                    yield return new LimitContender<Avx512Lanes>(workload, scenario.Limit, ahead);
                }
            }
        }
    }

    private static string MachineName()
    {
        string model = OperatingSystem.IsLinux()
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) ?? ""
            : "";
        string name = model.Contains(':', StringComparison.Ordinal) ? model[(model.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() : "unknown processor";
        return string.Create(CultureInfo.InvariantCulture, $"{name}, {Environment.ProcessorCount} processors, .NET {Environment.Version}");
    }
}
