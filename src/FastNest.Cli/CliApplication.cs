using System.CommandLine;
using System.CommandLine.Help;
using FastNest.Cli.Captures;
using FastNest.Cli.Commands;
using FastNest.Cli.Output;

namespace FastNest.Cli;

/// <summary>The tool as a function of its arguments.</summary>
internal static class CliApplication
{
    /// <summary>Runs a command line.</summary>
    /// <param name="args">The arguments after the tool's name.</param>
    /// <param name="output">Receives results.</param>
    /// <param name="error">Receives one line when the input is bad.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, TextWriter output, TextWriter error)
    {
        var terminal = new Terminal(output);
        // Not a RootCommand: that would take the name of the file in which it runs.
        var root = new Command("fastnest", "An AMD IOMMU in software: replays captures of real guests, explains translations, runs VMs.")
        {
            new HelpOption { Recursive = true },
            new VersionOption(),
            ReplayCommand.Make(terminal),
            BenchCommand.Make(terminal),
            ExplainCommand.Make(terminal),
            VmCommand.Make(terminal, error),
            RecordCommand.Make(terminal),
            BisectCommand.Make(terminal),
            FuzzCommand.Make(terminal),
        };
        ParseResult parsed = root.Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true })
        {
            // An argument that nothing took says more than that a command is missing, which it may have been meant to be.
            return Refuse(error, parsed.UnmatchedTokens is [var unknown, ..]
                ? $"{unknown}: unknown command or argument; expected one of those that --help shows"
                : parsed.Errors[0].Message);
        }

        try
        {
            return parsed.Invoke(new() { Output = output, Error = error, EnableDefaultExceptionHandler = false });
        }
        catch (CaptureException exception)
        {
            return Refuse(error, exception.Message);
        }
        catch (NotSupportedException exception)
        {
            // The environment asks for a strategy that there is not.
            return Refuse(error, exception.Message);
        }
        catch (IOException exception)
        {
            // Whatever is read is read as part of a capture.
            return Refuse(error, $"standard output: expected to be able to write: {exception.Message}");
        }
    }

    private static int Refuse(TextWriter error, string problem)
    {
        error.WriteLine("fastnest: " + problem.ReplaceLineEndings(" "));
        return ExitCode.BadInput;
    }
}
