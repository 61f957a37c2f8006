using System.CommandLine;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Traces;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest record</c>: writes a trace of a host that the tool has.</summary>
internal static class RecordCommand
{
    private const int DefaultSteps = 1000;
    private const int MostSteps = 10_000_000;

    public static Command Make(Terminal terminal)
    {
        Argument<string> file = Arguments.TraceFile("Receives the trace; what is there is replaced.");
        var capture = new Option<string?>("--capture")
        {
            HelpName = "DIR",
            Description = "The folder of a capture: its driver, then its requests; without it, a workload made from a seed.",
        };
        Option<int?> seed = Options.Number("--seed", "What the workload's choices follow from; without it, 1.", 0, int.MaxValue);
        Option<int?> steps = Options.Number("--steps", $"How long the workload is; without it, {DefaultSteps}.", 1, MostSteps);
        Option<bool> json = Options.Json();
        var command = new Command("record", "Writes a trace: the same arguments give the same bytes.") { file, capture, seed, steps, json };
        command.Validators.Add(result =>
        {
            if (result.GetResult(capture) is not null && (result.GetResult(seed) is not null || result.GetResult(steps) is not null))
            {
                result.AddError("--capture: expected without --seed and --steps, a capture has no choices");
            }
        });
        command.SetAction(parsed =>
        {
            string path = parsed.GetValue(file)!;
            RecordReport report = parsed.GetValue(capture) is { } folder
                ? Capture(path, new(CaptureFolder.Open(folder)))
                : Workload(path, parsed.GetValue(seed) ?? 1, parsed.GetValue(steps) ?? DefaultSteps);
            terminal.Write(report, parsed.GetValue(json), TraceText.Write);

            return ExitCode.Agreed;
        });
        return command;
    }

    private static RecordReport Capture(string path, CaptureRecording recording) =>
        TraceFile.Write(path, stream => recording.Run(stream, path));

    private static RecordReport Workload(string path, int seed, int steps) => TraceFile.Write(path, stream =>
    {
        using var recording = new WorkloadRecording(stream, seed);
        return recording.Run(steps, path);
    });
}
