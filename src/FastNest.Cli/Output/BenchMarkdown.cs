using System.Globalization;
using FastNest.Cli.Bench;

namespace FastNest.Cli.Output;

/// <summary>A comparison as the tables of a Markdown page.</summary>
internal static class BenchMarkdown
{
    private static readonly string[] Shown = ["naive", "scalar", "grouped", "portable", "avx2", "avx512", "auto", "peer-hashmap", "peer-setassoc", "limit-answers", "limit"];

    public static string Of(BenchReport report)
    {
        string[] strategies = [.. Shown.Where(name => report.Scenarios.Any(scenario => Find(scenario, name) is not null))];
        var lines = new List<string>
        {
            $"{report.Machine}; medians of {report.Rounds} interleaved rounds, ns per translation.",
            "",
            $"| scenario | {string.Join(" | ", strategies)} | auto against limit |",
            string.Concat(Enumerable.Repeat("|---", strategies.Length + 2)) + "|",
        };
        foreach (BenchScenario scenario in report.Scenarios)
        {
            double ratio = (Find(scenario, "auto") ?? double.NaN) / (Find(scenario, "limit") ?? double.NaN);
            lines.Add($"| {scenario.Name} | {string.Join(" | ", strategies.Select(name => Text(Find(scenario, name))))} | {Text(ratio, "F2")} |");
        }

        if (report.Rates.Count != 0)
        {
            lines.AddRange(["", "| rate or time | median | least | most | unit |", "|---|---|---|---|---|"]);
            lines.AddRange(report.Rates.Select(rate => $"| {rate.Name} | {Text(rate.Value)} | {Text(rate.Min)} | {Text(rate.Max)} | {rate.Unit} |"));
        }

        return string.Join('\n', lines) + "\n";
    }

    private static double? Find(BenchScenario scenario, string strategy) =>
        scenario.Results.FirstOrDefault(result => result.Strategy == strategy)?.NsPerTranslation;

    private static string Text(double? value, string format = "F1") =>
        value is { } number && !double.IsNaN(number) ? number.ToString(format, CultureInfo.InvariantCulture) : "";
}
