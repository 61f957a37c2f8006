using System.CommandLine;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Vms;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest vm</c>: do VMs that are served by hardware see their own memory, and nothing stale?</summary>
internal static class VmCommand
{
    private const int DefaultSeconds = 5;
    private const int MostSeconds = 86_400;

    public static Command Make(Terminal terminal, TextWriter error)
    {
        Option<int?> seconds = Options.Number(
            "--seconds", $"How long the VMs run; without it, {DefaultSeconds} seconds.", 1, MostSeconds);
        var capture = new Option<string?>("--capture")
        {
            HelpName = "DIR",
            Description = "The folder of a capture, whose driver starts the VMs; without it, as Linux does.",
        };
        Option<bool> json = Options.Json();
        var command = new Command("vm", "Runs two VMs on one IOMMU that serves them by hardware, and judges every answer.")
        {
            seconds, capture, json,
        };
        command.SetAction(parsed =>
        {
            CaptureFolder? folder = parsed.GetValue(capture) is { } path ? CaptureFolder.Open(path) : null;
            return Show(terminal, Run(new(error), folder, TimeSpan.FromSeconds(parsed.GetValue(seconds) ?? DefaultSeconds)), parsed.GetValue(json));
        });
        return command;
    }

    /// <summary>Prints a report.</summary>
    /// <returns>The exit code.</returns>
    internal static int Show(Terminal terminal, VmReport report, bool json)
    {
        terminal.Write(report, json, VmText.Write);

        return report.Wrong == 0 ? ExitCode.Agreed : ExitCode.Disagreed;
    }

    private static VmReport Run(LiveLine line, CaptureFolder? folder, TimeSpan duration)
    {
        using var scenario = new VmScenario(folder);
        VmReport report = scenario.Run(duration, line.IsSeen ? report => line.Show(VmText.Live(report)) : null);
        line.Clear();
        return report;
    }
}
