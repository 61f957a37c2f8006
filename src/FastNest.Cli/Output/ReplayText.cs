using FastNest.Cli.Captures;
using FastNest.Cli.Replays;
using FastNest.Reference;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>Shows the report of a replay as a table, with what disagreed.</summary>
internal static class ReplayText
{
    public static void Write(Terminal terminal, ReplayReport report)
    {
        terminal.Console.MarkupLineInterpolated(
            $"[bold]{report.Capture}[/]: {report.Requests} requests, {report.RecordedErrors} of them recorded against the architecture");
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("strategy");
        table.AddColumn(new TableColumn("agreed").RightAligned());
        table.AddColumn(new TableColumn("disagreed").RightAligned());
        table.AddColumn(new TableColumn("ns per translation").RightAligned());
        foreach (StrategyScore score in report.Strategies)
        {
            AddRow(table, score.Name, score.Agreed, score.Disagreed, $"{score.NsPerTranslation:F1}");
        }

        AddRow(table, "reference", report.Reference.Agreed, report.Reference.Disagreed, "");
        terminal.Console.Write(table);
        WriteDisagreements(terminal.Console, report);
    }

    private static void WriteDisagreements(IAnsiConsole console, ReplayReport report)
    {
        foreach (Disagreement disagreement in report.Disagreements)
        {
            RecordedRequest recorded = disagreement.Recorded;
            console.MarkupLineInterpolated($"[bold]{recorded.Place}[/]: {RequestText.Describe(recorded.Request)}");
            string rule = recorded.Rule is null ? "" : $" (recorded otherwise: {recorded.Rule})";
            console.MarkupLineInterpolated($"  expected   {recorded.Expected}{rule}");
            foreach (GivenAnswer given in disagreement.Answers)
            {
                string colour = given.Agrees ? "green" : "red";
                console.MarkupLine($"  [{colour}]{given.By,-10}[/] {Markup.Escape(given.Answer.ToString())}");
            }

            foreach (ReferenceStep step in disagreement.Reference.Steps)
            {
                string raw = string.Join(' ', step.Raw.Select(quadword => $"{quadword:x16}"));
                console.MarkupLineInterpolated($"    [dim]{step.Name,-8}[/] at 0x{step.Spa:x}: {raw} {step.Note}");
            }

            console.MarkupLineInterpolated($"    {disagreement.Reference.Verdict}");
        }
    }

    private static void AddRow(Table table, string name, int agreed, int disagreed, string time) =>
        table.AddRow(
            new Text(name),
            new Text($"{agreed}"),
            new Text($"{disagreed}", disagreed == 0 ? Color.Green : Color.Red),
            new Text(time));
}
