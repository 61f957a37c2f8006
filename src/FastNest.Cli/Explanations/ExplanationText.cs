using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Replays;
using FastNest.Reference;
using Spectre.Console;

namespace FastNest.Cli.Explanations;

/// <summary>Shows an explanation entry by entry.</summary>
internal static class ExplanationText
{
    public static void Write(Terminal terminal, Explanation explanation)
    {
        IAnsiConsole console = terminal.Console;
        console.MarkupLineInterpolated($"[bold]{RequestText.Describe(explanation.Request)}[/] in {explanation.Capture}");
        foreach (ReferenceStep step in explanation.Reference.Steps)
        {
            Write(console, step);
        }

        Answer expected = explanation.Expected;
        string colour = expected.Spa is null ? "red" : "green";
        console.MarkupLineInterpolated($"[bold]verdict[/]    {explanation.Reference.Verdict}");
        console.MarkupLine($"[bold]reference[/]  [{colour}]{Markup.Escape(expected.ToString())}[/]");
        foreach (GivenAnswer given in explanation.Engine)
        {
            string judged = given.Agrees ? "[green]agrees[/]" : "[red]differs[/]";
            console.MarkupLine($"[bold]{given.By,-10}[/] {Markup.Escape(given.Answer.ToString())} ({judged})");
        }
    }

    private static void Write(IAnsiConsole console, ReferenceStep step)
    {
        string level = step.Level == 0 ? "" : $" level {step.Level}";
        string gpa = step.Gpa is { } address ? $" for guest physical 0x{address:x}" : "";
        console.MarkupLineInterpolated($"[blue]{step.Name}[/]{level} at 0x{step.Spa:x}{gpa}");
        if (step.Raw.Count > 0)
        {
            console.MarkupLineInterpolated($"    raw     {string.Join(' ', step.Raw.Select(quadword => $"0x{quadword:x16}"))}");
            console.MarkupLineInterpolated($"    fields  {Fields(step)}");
            console.MarkupLineInterpolated($"    grants  {AccessWord.Of(step.Permissions)}");
        }

        console.MarkupLineInterpolated($"    [dim]{step.Note}[/]");
    }

    /// <summary>A device table entry has too many fields to show those that are 0.</summary>
    private static string Fields(ReferenceStep step) => string.Join(
        ' ', step.Fields.Where(field => field.Value != 0 || step.Stage != ReferenceStage.Device).Select(field => $"{field.Name}={Value(field.Value)}"));

    private static string Value(ulong value) => value < 10 ? $"{value}" : $"0x{value:x}";
}
