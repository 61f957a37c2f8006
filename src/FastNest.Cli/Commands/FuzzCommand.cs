using System.CommandLine;
using FastNest.Cli.Captures;
using FastNest.Cli.Fuzzing;
using FastNest.Cli.Output;
using FastNest.Fuzz.Targets;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest fuzz</c>: attacks the engine in this process.</summary>
internal static class FuzzCommand
{
    private const int DefaultSeconds = 60;
    private const int MostSeconds = 7 * 24 * 3600;
    private const string Every = "all";

    public static Command Make(Terminal terminal)
    {
        Option<int?> seconds = Options.Number("--seconds", $"How long; without it, {DefaultSeconds}.", 1, MostSeconds);
        Option<int?> runs = Options.Number("--runs", "How many inputs each target is fed, instead: then the same seed gives the same trace.", 1, int.MaxValue);
        Option<int?> seed = Options.Number("--seed", "Chooses the inputs; without it, another each time.", 0, int.MaxValue);
        Option<IReadOnlyList<IFuzzTarget>> target = Target();
        var corpus = new Option<string?>("--corpus") { HelpName = "DIR", Description = "Inputs to begin with, in a folder for each target." };
        var kept = new Option<string?>("--kept") { HelpName = "DIR", Description = "Receives inputs that showed something first, in the form of --corpus." };
        var findings = new Option<string>("--findings") { HelpName = "DIR", Description = "Receives inputs that fail.", DefaultValueFactory = _ => "." };
        var input = new Option<string?>("--input") { HelpName = "FILE", Description = "Feeds one input to one target, and says what it came to." };
        Option<bool> json = Options.Json();
        var command = new Command("fuzz", "Feeds the engine and its readers with generated inputs, and compares with the reference model.")
        {
            seconds, runs, seed, target, corpus, kept, findings, input, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(seconds) is not null && result.GetResult(runs) is not null)
            {
                result.AddError("--runs: expected without --seconds");
            }
            else if (result.GetResult(input) is not null && result.GetValue(target)?.Count != 1)
            {
                result.AddError("--input: expected with the --target that it is for");
            }
        });
        command.SetAction(parsed =>
        {
            IReadOnlyList<IFuzzTarget> targets = parsed.GetValue(target)!;
            bool isJson = parsed.GetValue(json);
            if (parsed.GetValue(input) is { } path)
            {
                return Replay(terminal, targets[0], path, isJson);
            }

            if (parsed.GetValue(corpus) is { } folder && !Directory.Exists(folder))
            {
                throw new CaptureException($"{folder}: expected a folder");
            }

            var campaign = new FuzzCampaign(
                targets, parsed.GetValue(seed) ?? Random.Shared.Next(), parsed.GetValue(seconds) ?? DefaultSeconds, parsed.GetValue(runs),
                parsed.GetValue(corpus), parsed.GetValue(kept), parsed.GetValue(findings)!);
            FuzzReport report = terminal.Run("fuzzing", !isJson, campaign.Run);
            terminal.Write(report, isJson, FuzzText.Write);
            return report.Findings == 0 ? ExitCode.Agreed : ExitCode.Disagreed;
        });
        return command;
    }

    private static int Replay(Terminal terminal, IFuzzTarget target, string path, bool json)
    {
        if (!File.Exists(path))
        {
            throw new CaptureException($"{path}: expected a file");
        }

        var tally = new FuzzTally();
        string? message = FuzzLoop.Try(target, File.ReadAllBytes(path), tally);
        FuzzFindingReport[] findings = message is null ? [] : [new(path, message)];
        var report = new FuzzReport(
            0, 0, [new(target.Name, 1, tally.Translations, 0, tally.Operations, tally.Features, 0, $"{tally.Trace:x16}", findings)]);
        terminal.Write(report, json, FuzzText.Write);
        return message is null ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static Option<IReadOnlyList<IFuzzTarget>> Target() => new("--target")
    {
        HelpName = string.Join('|', [.. FuzzTargets.All.Select(target => target.Name), Every]),
        Description = "What is fed; without it, all in turn.",
        DefaultValueFactory = _ => FuzzTargets.All,
        CustomParser = result =>
        {
            string name = result.Tokens[0].Value;
            if (name == Every)
            {
                return FuzzTargets.All;
            }

            if (FuzzTargets.Find(name) is { } found)
            {
                return [found];
            }

            result.AddError($"--target {name}: expected one of {string.Join(", ", FuzzTargets.All.Select(target => target.Name))}, {Every}");
            return null;
        },
    };
}
