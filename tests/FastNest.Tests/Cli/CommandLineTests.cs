using Xunit;

namespace FastNest.Tests.Cli;

public sealed class CommandLineTests
{
    [Fact]
    public void An_unknown_strategy_is_refused_with_the_known_ones() =>
        ToolRun.Of("replay", "--strategy", "fast").AssertRefused("--strategy fast", "naive, scalar, grouped, portable");

    [Theory]
    [InlineData("", "command")]
    [InlineData("frobnicate", "frobnicate: unknown command")]
    [InlineData("replay --bogus", "--bogus")]
    [InlineData("replay one two", "two")]
    [InlineData("replay --repeat 0", "--repeat 0")]
    [InlineData("replay --repeat many", "--repeat many")]
    [InlineData("replay --strategy", "--strategy")]
    [InlineData("replay --strategy naive --strategy scalar", "--strategy")]
    [InlineData("replay --driver --strategy naive", "--driver")]
    [InlineData("replay --driver --repeat 2", "--driver")]
    [InlineData("replay nowhere-at-all", "nowhere-at-all")]
    [InlineData("explain", "--device")]
    [InlineData("explain nowhere-at-all --device 00:02.0 --iova 0x0", "nowhere-at-all")]
    public void A_bad_command_line_is_refused_in_one_line(string line, string named) =>
        ToolRun.Of(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).AssertRefused(named);

    [Fact]
    public void Output_that_cannot_be_written_is_told_in_one_line()
    {
        using FullWriter output = new();
        using StringWriter error = new();

        int code = FastNest.Cli.CliApplication.Run(["replay", "--repeat", "1", "--json"], output, error);

        Assert.Equal(2, code);
        Assert.Equal("fastnest: standard output: expected to be able to write: full\n", error.ToString().ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData("--help", "fastnest [command]")]
    [InlineData("replay --help", "fastnest replay [<DIR|FILE>]")]
    [InlineData("explain --help", "--privileged")]
    [InlineData("vm --help", "--capture")]
    public void Help_is_shown(string line, string expected)
    {
        ToolRun run = ToolRun.Of(line.Split(' '));

        Assert.Equal(0, run.ExitCode);
        Assert.Contains(expected, run.Output, StringComparison.Ordinal);
        Assert.Equal("", run.Error);
    }

    private sealed class FullWriter : StringWriter
    {
        public override void WriteLine(string? value) => throw new IOException("full");
    }
}
