using System.Text.Json;
using System.Xml.Linq;
using FastNest.Cli.Bench;
using FastNest.Cli.Charts;
using FastNest.Cli.Output;
using FastNest.Engine;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>What bench tells, not how fast anything is.</summary>
public sealed class BenchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastnest-bench").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void JsonNamesEveryContenderOfAScenario()
    {
        ToolRun run = ToolRun.Of("bench", "--quick", "--scenario", "iotlb-hit-4k", "--json");
        Assert.Equal(0, run.ExitCode);
        JsonElement report = JsonDocument.Parse(run.Output).RootElement;
        JsonElement scenario = Assert.Single(report.GetProperty("scenarios").EnumerateArray().ToArray());
        Assert.Equal("iotlb-hit-4k", scenario.GetProperty("name").GetString());
        Assert.Equal((4096, "random"), (scenario.GetProperty("pages").GetInt32(), scenario.GetProperty("pattern").GetString()));
        JsonElement[] results = [.. scenario.GetProperty("results").EnumerateArray()];
        Assert.Superset(
            new HashSet<string?> { "naive", "scalar", "auto", "limit", "peer-hashmap", "peer-setassoc" },
            results.Select(static result => result.GetProperty("strategy").GetString()).ToHashSet());
        Assert.All(results, static result =>
        {
            double least = result.GetProperty("min").GetDouble();
            Assert.InRange(least, double.Epsilon, result.GetProperty("nsPerTranslation").GetDouble());
            Assert.InRange(result.GetProperty("nsPerTranslation").GetDouble(), least, result.GetProperty("max").GetDouble());
        });
    }

    [Fact]
    public void FiguresGoBetweenTheMarksOfAFile()
    {
        string file = Path.Combine(_folder, "page.md");
        File.WriteAllText(file, $"before\n{MarkedSection.Begin}old\n{MarkedSection.End}\nafter\n");
        ToolRun run = ToolRun.Of("bench", "--quick", "--scenario", "iotlb-hit-4k", "--into", file);
        Assert.Equal(0, run.ExitCode);
        string written = File.ReadAllText(file);
        Assert.StartsWith($"before\n{MarkedSection.Begin}", written, StringComparison.Ordinal);
        Assert.EndsWith($"{MarkedSection.End}\nafter\n", written, StringComparison.Ordinal);
        Assert.Contains("| iotlb-hit-4k | ", written, StringComparison.Ordinal);
        Assert.DoesNotContain("old", written, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "no such file")]
    [InlineData("no marks", "expected a line <!-- bench -->")]
    [InlineData("<!-- /bench -->\n<!-- bench -->\n", "expected a line <!-- bench -->")]
    public void AFileWithoutMarksIsRefusedBeforeAnythingIsMeasured(string? content, string complaint)
    {
        string file = Path.Combine(_folder, "page.md");
        if (content is not null)
        {
            File.WriteAllText(file, content);
        }

        ToolRun run = ToolRun.Of("bench", "--quick", "--into", file);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(complaint, run.Error, StringComparison.Ordinal);
        Assert.Contains(file, run.Error, StringComparison.Ordinal);
    }

    /// <summary>A table has as many cells in each row, whatever a machine does not run.</summary>
    [Fact]
    public void MarkdownLeavesCellsEmptyThatWereNotMeasured()
    {
        var report = new BenchReport(
            "machine",
            3,
            [
                new("a", 1, "random", [new("naive", 10, 9, 11), new("auto", 4, 3, 5), new("limit", 2, 1, 3)]),
                new("b", 1, "random", [new("naive", 10, 9, 11), new("auto", 4, 3, 5)]),
            ],
            [new("rate", "M/s", 1, 0.5, 2)]);
        string[] lines = BenchMarkdown.Of(report).Split('\n');
        Assert.Contains("| a | 10.0 | 4.0 | 2.0 | 2.00 |", lines);
        Assert.Contains("| b | 10.0 | 4.0 |  |  |", lines);
        Assert.Contains("| rate | 1.0 | 0.5 | 2.0 | M/s |", lines);
    }

    [Fact]
    public void AChartHasALineAndANamePerSeriesWithinItsFrame()
    {
        XDocument chart = LineChart.Draw(
            "title", "x", "y", [new("one", [(1024, 3), (4096, 12)]), new("two", [(1024, 400), (4096, 900)])], static x => $"{x}");
        XNamespace svg = "http://www.w3.org/2000/svg";
        double[] numbers =
        [
            .. chart.Descendants(svg + "polyline").SelectMany(static line => line.Attribute("points")!.Value.Split(' ', ','))
                .Select(static number => double.Parse(number, System.Globalization.CultureInfo.InvariantCulture)),
        ];
        Assert.Equal(8, numbers.Length);
        Assert.All(numbers, static number => Assert.InRange(number, 0, 860));
        Assert.True(numbers[1] > numbers[5], "more is higher up");
        Assert.Superset(new HashSet<string> { "one", "two", "1024", "4096" }, chart.Descendants(svg + "text").Select(static text => text.Value).ToHashSet());
    }

    [Theory]
    [InlineData(PageSizes.Small, false)]
    [InlineData(PageSizes.Small, true)]
    [InlineData(PageSizes.Large, false)]
    [InlineData(PageSizes.Large, true)]
    [InlineData(PageSizes.Mixed, false)]
    [InlineData(PageSizes.Mixed, true)]
    public void MachinesOfAnyPageSizesTranslate(PageSizes sizes, bool isNested)
    {
        using var machine = new BenchMachine(1 << 13, isNested ? 2 : 1, isNested, sizes);
        foreach (string pattern in Workload.Patterns)
        {
            var workload = new Workload(machine, pattern, 1 << 12);
            foreach (WalkStrategy strategy in new[] { WalkStrategy.Scalar, WalkStrategy.Auto })
            {
                using var port = new EngineContender("port", workload, new(), strategy);
                port.Run();
                Assert.True(port.IsRight(), $"{sizes}, {pattern}, {strategy}");
                port.Run();
                Assert.True(port.IsRight(), $"{sizes}, {pattern}, {strategy}, known");
            }
        }
    }
}
