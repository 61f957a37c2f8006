using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using FastNest.Cli.Output;
using FastNest.Cli.Vms;

namespace FastNest.Cli.Commands;

/// <summary><c>fastnest vm</c>: two VMs own their IOMMU; does each reach its memory alone, and nothing stale?</summary>
internal static class VmCommand
{
    private const double MostSeconds = 86400;

    public static Command Make(Terminal terminal)
    {
        var seconds = new Option<double>("--seconds")
        {
            HelpName = "N",
            Description = "For how long; 3 if not given.",
            DefaultValueFactory = static _ => 3,
            CustomParser = Parse,
        };
        Option<bool> json = Options.Json();
        var command = new Command("vm", "Runs two VMs with a hardware vIOMMU each, under devices that never rest and a host that moves their memory.")
        {
            seconds, json,
        };
        command.SetAction(parsed =>
        {
            bool isJson = parsed.GetValue(json);
            VmReport report = terminal.Watch(
                "two VMs", !isJson, show => VmScenario.Run(parsed.GetValue(seconds), so => show(VmText.Line(so))));
            if (isJson)
            {
                terminal.WriteJson(report);
            }
            else
            {
                VmText.Write(terminal, report);
            }

            return report.Wrong == 0 ? ExitCode.Agreed : ExitCode.Disagreed;
        });
        return command;
    }

    private static double Parse(ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds)
            || seconds is not (> 0 and <= MostSeconds))
        {
            result.AddError($"--seconds: expected more than 0 and at most {MostSeconds}, found {text}");
        }

        return seconds;
    }
}
