using System.CommandLine;
using FastNest.Cli.Output;
using FastNest.Cli.Traces;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest bisect</c>: where do two ways to answer a trace differ first?</summary>
internal static class BisectCommand
{
    private static readonly IReadOnlyList<TraceRun> Known = [TraceRun.Recorded, .. TraceRun.All];

    public static Command Make(Terminal terminal)
    {
        Argument<string> file = Arguments.TraceFile("The trace.");
        Option<TraceRun?> left = Run("--left", "One way to answer: as recorded, with the recorded caches, or by a strategy; without it, recorded.");
        Option<TraceRun?> right = Run("--right", "The other; without it, same.");
        Option<bool> json = Options.Json();
        var command = new Command("bisect", "Finds the first request of a trace that two strategies, or two versions, answer differently.")
        {
            file, left, right, json,
        };
        command.SetAction(parsed =>
        {
            var bisect = new TraceBisect(
                parsed.GetValue(file)!, parsed.GetValue(left) ?? TraceRun.Recorded, parsed.GetValue(right) ?? TraceRun.Same);
            return Show(terminal, terminal.Run("bisecting", !parsed.GetValue(json), bisect.Run), parsed.GetValue(json));
        });
        return command;
    }

    private static int Show(Terminal terminal, BisectReport report, bool json)
    {
        terminal.Write(report, json, BisectText.Write);

        return report.Difference is null ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static Option<TraceRun?> Run(string name, string description) => new(name)
    {
        HelpName = string.Join('|', Known.Select(run => run.Name)),
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Known.FirstOrDefault(run => run.Name == text) is { } known)
            {
                return known;
            }

            result.AddError($"{name} {text}: expected one of {string.Join(", ", Known.Select(run => run.Name))}");
            return null;
        },
    };
}
