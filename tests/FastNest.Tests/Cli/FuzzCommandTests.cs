using FastNest.Cli;
using Xunit;

namespace FastNest.Tests.Cli;

public sealed class FuzzCommandTests
{
    [Fact]
    public void TheSameSeedPrintsTheSame()
    {
        (int code, string first, string error) = Run("fuzz", "--target", "mmio", "--runs", "5", "--seed", "9", "--json");
        Assert.Equal((0, ""), (code, error));
        using System.Text.Json.JsonDocument report = System.Text.Json.JsonDocument.Parse(first);
        System.Text.Json.JsonElement target = report.RootElement.GetProperty("targets")[0];
        Assert.Equal(("mmio", 5, 750, 0), (
            target.GetProperty("target").GetString(), target.GetProperty("runs").GetInt32(), target.GetProperty("operations").GetInt32(),
            target.GetProperty("findings").GetArrayLength()));
        using System.Text.Json.JsonDocument again = System.Text.Json.JsonDocument.Parse(Run("fuzz", "--target", "mmio", "--runs", "5", "--seed", "9", "--json").Output);
        Assert.Equal(target.GetProperty("trace").GetString(), again.RootElement.GetProperty("targets")[0].GetProperty("trace").GetString());
    }

    [Fact]
    public void OneInputIsFedToItsTarget()
    {
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, [1, 2, 3]);
        try
        {
            (int code, string output, _) = Run("fuzz", "--target", "translate", "--input", file);
            Assert.Equal(0, code);
            Assert.Contains("translate", output, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("--target", "nonsense")]
    [InlineData("--seconds", "0")]
    [InlineData("--runs", "5", "--seconds", "5")]
    [InlineData("--input", "here")]
    [InlineData("--target", "elf", "--input", "/nowhere/at/all")]
    [InlineData("--corpus", "/nowhere/at/all")]
    public void BadArgumentsAreOneLine(params string[] args)
    {
        (int code, string output, string error) = Run(["fuzz", .. args]);
        Assert.Equal((2, ""), (code, output));
        Assert.Single(error.TrimEnd().Split('\n'));
        Assert.Contains("expected", error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        return (CliApplication.Run(args, output, error), output.ToString(), error.ToString());
    }
}
