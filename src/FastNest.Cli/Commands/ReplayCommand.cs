using System.CommandLine;
using System.CommandLine.Parsing;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Replays;
using FastNest.Cli.Strategies;
using FastNest.Cli.Traces;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest replay</c>: does the engine answer as the recorded machine should have?</summary>
internal static class ReplayCommand
{
    private const string EveryStrategy = "all";
    private const int MostRounds = 1_000_000;

    public static Command Make(Terminal terminal)
    {
        Argument<string?> folder = Arguments.Recording(
            "The folder of a capture, or a trace; without it, the capture that comes with the tool.", ArgumentArity.ZeroOrOne);
        var strategy = new Option<IReadOnlyList<Strategy>?>("--strategy")
        {
            Arity = ArgumentArity.ExactlyOne,
            HelpName = $"{string.Join('|', Strategy.All.Select(known => known.Name))}|{EveryStrategy}",
            Description = "How the engine walks; without it, in every way.",
            CustomParser = ParseStrategy,
        };
        Option<int?> repeat = Options.Number(
            "--repeat", "Timed rounds over all requests; without it, as many as a stable median needs.", 1, MostRounds);
        var driver = new Option<bool>("--driver") { Description = "Replay the driver's register accesses and commands instead." };
        Option<bool> json = Options.Json();
        var command = new Command("replay", "Puts recorded requests through the engine and the reference and compares the answers.")
        {
            folder, strategy, repeat, driver, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(driver) && (result.GetResult(repeat) is not null || result.GetResult(strategy) is not null))
            {
                result.AddError("--driver: expected without --strategy and --repeat, a driver replay translates nothing");
            }
        });
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(folder) is { } path && File.Exists(path))
            {
                return parsed.GetValue(driver) || parsed.GetValue(repeat) is not null
                    ? throw new CaptureException($"{path}: expected without --driver and --repeat, it is no folder of a capture")
                    : Trace(terminal, path, parsed.GetValue(strategy), parsed.GetValue(json));
            }

            var capture = CaptureFolder.Open(parsed.GetValue(folder));
            return parsed.GetValue(driver)
                ? Driver(terminal, capture, parsed.GetValue(json))
                : Requests(terminal, capture, parsed.GetValue(strategy) ?? Strategy.All, parsed.GetValue(repeat), parsed.GetValue(json));
        });
        return command;
    }

    private static int Trace(Terminal terminal, string path, IReadOnlyList<Strategy>? strategies, bool json)
    {
        IReadOnlyList<TraceRun> runs = strategies is null ? TraceRun.All : [.. strategies.Select(TraceRun.Of)];
        TraceReport report = terminal.Run($"replaying {Path.GetFileName(path)}", !json, meter => new TraceReplay(path).Run(runs, meter));
        terminal.Write(report, json, TraceText.Write);

        return report.AllAgreed ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static int Requests(Terminal terminal, CaptureFolder capture, IReadOnlyList<Strategy> strategies, int? repeat, bool json)
    {
        ReplayReport report = terminal.Run(
            $"replaying {capture.Name}", !json, meter => new RequestReplay(capture).Run(strategies, repeat, meter));
        return Show(terminal, report, json);
    }

    /// <summary>Prints a report.</summary>
    /// <returns>The exit code.</returns>
    internal static int Show(Terminal terminal, ReplayReport report, bool json)
    {
        terminal.Write(report, json, ReplayText.Write);

        return report.AllAgreed ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static int Driver(Terminal terminal, CaptureFolder capture, bool json)
    {
        DriverReport report = terminal.Run($"replaying {capture.Name}", !json, meter => new DriverReplay(capture).Run(meter));
        terminal.Write(report, json, DriverText.Write);

        return report.AllAgreed ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static IReadOnlyList<Strategy>? ParseStrategy(ArgumentResult result)
    {
        string name = result.Tokens[0].Value;
        if (name == EveryStrategy)
        {
            return Strategy.All;
        }

        if (Strategy.All.FirstOrDefault(strategy => strategy.Name == name) is { } known)
        {
            return [known];
        }

        result.AddError($"--strategy {name}: expected one of {Strategy.Names}, {EveryStrategy}");
        return null;
    }
}
