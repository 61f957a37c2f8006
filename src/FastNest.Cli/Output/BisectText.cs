using FastNest.Cli.Traces;
using FastNest.Reference;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows where two runs of a trace differ first.</summary>
internal static class BisectText
{
    public static void Write(Terminal terminal, BisectReport report)
    {
        IAnsiConsole console = terminal.Console;
        console.MarkupLineInterpolated(
            $"[bold]{report.Trace}[/]: {report.Left} and {report.Right} agree on {report.Records} records with {report.Requests} requests");
        if (report.Difference is not { } difference)
        {
            return;
        }

        console.MarkupLineInterpolated(
            $"[red]they differ[/] in record {difference.Record}, offset 0x{difference.Offset:x}: {difference.Kind} {difference.What}");
        console.MarkupLineInterpolated($"  {report.Left,-10} {difference.Left}");
        console.MarkupLineInterpolated($"  {report.Right,-10} {difference.Right}");
        console.MarkupLineInterpolated($"  {"in trace",-10} {difference.Recorded}");
        if (difference.Tables is not { } tables)
        {
            return;
        }

        console.MarkupLineInterpolated($"  {"in memory",-10} {difference.TablesAnswer}");
        foreach (ReferenceStep step in tables.Steps)
        {
            string raw = string.Join(' ', step.Raw.Select(quadword => $"{quadword:x16}"));
            console.MarkupLineInterpolated($"    [dim]{step.Name,-8}[/] at 0x{step.Spa:x}: {raw} {step.Note}");
        }

        console.MarkupLineInterpolated($"    {tables.Verdict}");
    }
}
