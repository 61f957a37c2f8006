using FastNest.Cli.Traces;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows what was recorded, and how a trace was answered.</summary>
internal static class TraceText
{
    public static void Write(Terminal terminal, RecordReport report) => terminal.Console.MarkupLineInterpolated(
        $"[bold]{report.Trace}[/]: {report.Host}, {report.Records} records, {report.Requests} requests, {report.Bytes} bytes, {report.BytesPerRequest:F2} per request");

    public static void Write(Terminal terminal, TraceReport report)
    {
        terminal.Console.MarkupLineInterpolated(
            $"[bold]{report.Trace}[/]: {report.Records} records, {report.Requests} requests, {report.Reads} register reads, {report.Hashes} hashes of memory");
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("strategy");
        table.AddColumn(new TableColumn("records agreed").RightAligned());
        table.AddColumn(new TableColumn("disagreed").RightAligned());
        table.AddColumn(new TableColumn("first").RightAligned());
        foreach (TraceScore score in report.Strategies)
        {
            table.AddRow(
                new Text(score.Name),
                new Text($"{score.Agreed}"),
                new Text($"{score.Disagreed}", score.Disagreed == 0 ? Color.Green : Color.Red),
                new Text($"{score.First}"));
        }

        terminal.Console.Write(table);
    }
}
