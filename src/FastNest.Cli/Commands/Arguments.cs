using System.CommandLine;

namespace FastNest.Cli.Commands;

/// <summary>Arguments that several commands have.</summary>
internal static class Arguments
{
    public static Argument<string?> Folder(string description, ArgumentArity arity)
    {
        var folder = new Argument<string?>("DIR") { Description = description, Arity = arity };
        folder.Validators.Add(result =>
        {
            // What no option took would otherwise pass for a folder.
            if (result.Tokens.Any(token => token.Value.StartsWith('-')))
            {
                result.AddError($"{result.Tokens[0].Value}: unknown option; expected one of those that --help shows");
            }
        });
        return folder;
    }
}
