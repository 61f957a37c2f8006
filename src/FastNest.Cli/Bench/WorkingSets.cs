using FastNest.Cli.Charts;

namespace FastNest.Cli.Bench;

/// <summary>How the cost of a translation grows with the pages in use: the same comparison over working sets, as charts.</summary>
internal static class WorkingSets
{
    /// <summary>Measures, and writes <c>nested-random.svg</c> and <c>one-stage-random.svg</c>.</summary>
    public static void Plot(string folder, bool quick)
    {
        int[] sizes = quick ? [1 << 10, 1 << 14, 1 << 16, 1 << 18, 1 << 20] : [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22];
        Directory.CreateDirectory(folder);
        foreach (bool nested in (bool[])[true, false])
        {
            string name = nested ? "nested-random" : "one-stage-random";
            LimitKind limit = nested ? LimitKind.NestedTables : LimitKind.HostTables;
            BenchScenario[] measured =
            [
                .. sizes.Select(pages => Comparison.Run(new Scenario(name, pages, "random", 1, nested, HasCaches: true, limit), quick ? 3 : 11)),
            ];
            ChartLine[] lines =
            [
                .. measured[0].Results.Select(first => new ChartLine(
                    first.Strategy,
                    [.. measured.Select(scenario => ((double)scenario.Pages, scenario.Results.Single(result => result.Strategy == first.Strategy).NsPerTranslation))])),
            ];
            LineChart.Draw($"{name}, one thread, batches of {Workload.Batch}", "pages of 4 KiB", "ns", lines, Pages)
                .Save(Path.Combine(folder, name + ".svg"));
        }
    }

    private static string Pages(double pages) => pages >= 1 << 20 ? $"{pages / (1 << 20):F0}M" : $"{pages / (1 << 10):F0}k";
}
