using System.Globalization;
using FastNest.Cli.Bench;
using Spectre.Console;

namespace FastNest.Cli.Output;

/// <summary>A comparison as tables.</summary>
internal static class BenchText
{
    public static void Write(Terminal terminal, BenchReport report)
    {
        terminal.Output.WriteLine($"{report.Machine}; medians of {report.Rounds} interleaved rounds, ns per translation");
        foreach (BenchScenario scenario in report.Scenarios)
        {
            double floor = scenario.Results.FirstOrDefault(figure => figure.Strategy == "limit")?.NsPerTranslation ?? double.NaN;
            var table = new Table { Title = new TableTitle(scenario.Name), Border = TableBorder.Simple };
            table.AddColumns("strategy", "ns", "min", "max", "against limit");
            foreach (BenchFigure figure in scenario.Results)
            {
                table.AddRow(
                    figure.Strategy,
                    Text(figure.NsPerTranslation),
                    Text(figure.Min),
                    Text(figure.Max),
                    double.IsNaN(floor) ? "" : Text(figure.NsPerTranslation / floor) + "x");
            }

            terminal.Console.Write(table);
        }

        if (report.Rates.Count == 0)
        {
            return;
        }

        var rates = new Table { Title = new TableTitle("rates and times"), Border = TableBorder.Simple };
        rates.AddColumns("what", "median", "min", "max", "unit");
        foreach (BenchRate rate in report.Rates)
        {
            rates.AddRow(rate.Name, Text(rate.Value), Text(rate.Min), Text(rate.Max), rate.Unit);
        }

        terminal.Console.Write(rates);
    }

    private static string Text(double value) => value.ToString("F2", CultureInfo.InvariantCulture);
}
