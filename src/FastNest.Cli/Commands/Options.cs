using System.CommandLine;

namespace FastNest.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class Options
{
    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object and nothing else." };
}
