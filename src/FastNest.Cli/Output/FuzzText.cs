using FastNest.Cli.Fuzzing;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows what a campaign came to.</summary>
internal static class FuzzText
{
    public static void Write(Terminal terminal, FuzzReport report)
    {
        IAnsiConsole console = terminal.Console;
        Table table = new Table().Border(TableBorder.Simple).AddColumn("target");
        foreach (string column in new[] { "runs", "translations", "per second", "operations", "features", "kept", "findings", "trace" })
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        foreach (FuzzTargetReport target in report.Targets)
        {
            table.AddRow(
                target.Target, $"{target.Runs:N0}", $"{target.Translations:N0}", $"{target.TranslationsPerSecond:N0}", $"{target.Operations:N0}",
                $"{target.Features:N0}", $"{target.Kept:N0}", $"{target.Findings.Count:N0}", target.Trace);
        }

        console.MarkupLineInterpolated($"seed {report.Seed}, {report.Seconds:F1} s, {report.Findings} findings");
        console.Write(table);
        foreach (FuzzFindingReport finding in report.Targets.SelectMany(target => target.Findings))
        {
            console.MarkupLineInterpolated($"[red]{finding.File}[/] {finding.Message}");
        }
    }
}
