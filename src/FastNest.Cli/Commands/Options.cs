using System.CommandLine;
using FastNest.Cli.Captures;

namespace FastNest.Cli.Commands;

/// <summary>Options that several commands have.</summary>
internal static class Options
{
    public static Option<bool> Json() => new("--json") { Description = "Print one JSON object and nothing else." };

    /// <summary>A whole number within limits; null where it is not given.</summary>
    public static Option<int?> Number(string name, string description, int least, int most) => new(name)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result =>
        {
            string text = result.Tokens[0].Value;
            if (Quantity.TryAny(text, out ulong number) && number >= (ulong)least && number <= (ulong)most)
            {
                return (int)number;
            }

            result.AddError($"{name} {text}: expected a number from {least} to {most}");
            return null;
        },
    };
}
