using System.CommandLine;

namespace FastNest.Cli.Commands;

/// <summary>Arguments that several commands have.</summary>
internal static class Arguments
{
    public static Argument<string?> Folder(string description, ArgumentArity arity) => Path<string?>("DIR", description, arity);

    /// <summary>The folder of a capture, or a trace.</summary>
    public static Argument<string?> Recording(string description, ArgumentArity arity) => Path<string?>("DIR|FILE", description, arity);

    public static Argument<string> TraceFile(string description) => Path<string>("FILE", description, ArgumentArity.ExactlyOne);

    private static Argument<T> Path<T>(string name, string description, ArgumentArity arity)
    {
        var path = new Argument<T>(name) { Description = description, Arity = arity };
        path.Validators.Add(result =>
        {
            // What no option took would otherwise pass for a path.
            if (result.Tokens.Any(token => token.Value.StartsWith('-')))
            {
                result.AddError($"{result.Tokens[0].Value}: unknown option; expected one of those that --help shows");
            }
        });
        return path;
    }
}
