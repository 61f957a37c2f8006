using System.CommandLine;
using FastNest.Cli.Bench;
using FastNest.Cli.Output;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest bench</c>: how fast is each strategy, against floors and peers, in one run?</summary>
internal static class BenchCommand
{
    public static Command Make(Terminal terminal)
    {
        var quick = new Option<bool>("--quick") { Description = "Fewer rounds: under a minute." };
        var only = new Option<string?>("--scenario")
        {
            HelpName = string.Join('|', Scenario.All.Select(scenario => scenario.Name)),
            Description = "One scenario alone.",
        };
        only.AcceptOnlyFromAmong([.. Scenario.All.Select(scenario => scenario.Name)]);
        var plot = new Option<string?>("--plot") { HelpName = "DIR", Description = "Draw ns per translation against the working set, as SVG." };
        var into = new Option<string[]>("--into")
        {
            HelpName = "FILE",
            Description = "Write the figures into Markdown files, between their bench marks.",
            AllowMultipleArgumentsPerToken = true,
        };
        into.Validators.Add(result =>
        {
            foreach (string file in result.GetValueOrDefault<string[]>() ?? [])
            {
                if (MarkedSection.Complaint(file) is { } complaint)
                {
                    result.AddError(complaint);
                }
            }
        });
        Option<bool> json = Options.Json();
        var command = new Command("bench", "Compares the walk strategies with each other, with floors and with peers.")
        {
            quick, only, plot, into, json,
        };
        command.SetAction(parsed =>
        {
            BenchReport report = Comparison.Run(parsed.GetValue(quick), parsed.GetValue(only));
            terminal.Write(report, parsed.GetValue(json), BenchText.Write);

            foreach (string file in parsed.GetValue(into) ?? [])
            {
                MarkedSection.Replace(file, BenchMarkdown.Of(report));
            }

            if (parsed.GetValue(plot) is { } folder)
            {
                WorkingSets.Plot(folder, parsed.GetValue(quick));
            }

            return ExitCode.Agreed;
        });
        return command;
    }
}
