using FastNest.Cli.Replays;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows the report of a driver replay.</summary>
internal static class DriverText
{
    public static void Write(Terminal terminal, DriverReport report)
    {
        terminal.Console.MarkupLineInterpolated($"[bold]{report.Capture}[/]: driver replay");
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("what");
        table.AddColumn(new TableColumn("expected").RightAligned());
        table.AddColumn(new TableColumn("found").RightAligned());
        AddRow(table, "register reads that agree", report.Reads, report.ReadsAgreed);
        AddRow(table, "commands executed", report.Commands, report.Executed);
        AddRow(table, "commands refused", 0, report.Illegal);
        AddRow(table, "head at the tail afterwards", report.Batches, report.HeadFollowed);
        AddRow(table, "completion stores", report.Completions, report.CompletionsDone);
        terminal.Console.Write(table);
        foreach (string disagreement in report.Disagreements)
        {
            terminal.Console.MarkupLineInterpolated($"[red]{disagreement}[/]");
        }
    }

    private static void AddRow(Table table, string what, long expected, long found) =>
        table.AddRow(new Text(what), new Text($"{expected}"), new Text($"{found}", expected == found ? Color.Green : Color.Red));
}
