using System.Text.Json;
using FastNest.Cli;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>What the tool did with a command line, run within this process.</summary>
public sealed record ToolRun(int ExitCode, string Output, string Error)
{
    public static ToolRun Of(params string[] args)
    {
        using StringWriter output = new();
        using StringWriter error = new();
        int code = CliApplication.Run(args, output, error);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>Standard output, which must be one line of JSON and nothing else.</summary>
    public JsonElement Json()
    {
        Assert.Equal("", Error);
        Assert.Single(Output.TrimEnd('\n').Split('\n'));
        using JsonDocument document = JsonDocument.Parse(Output);
        return document.RootElement.Clone();
    }

    /// <summary>Requires that the input was refused with one line that holds every text.</summary>
    public void AssertRefused(params string[] texts)
    {
        Assert.Equal(2, ExitCode);
        Assert.Equal("", Output);
        string line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.All(texts, text => Assert.Contains(text, line, StringComparison.Ordinal));
    }
}
