using System.Diagnostics;
using System.Text.Json;
using FastNest.Cli;
using FastNest.Tests.Captures;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>Recorded guests on every strategy that is left when instruction sets are switched off.</summary>
public sealed class InstructionSetTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", "avx512")]
    [InlineData("DOTNET_EnableAVX2", "avx2", "avx512")]
    [InlineData("DOTNET_EnableHWIntrinsic", "avx2", "avx512")]
    public async Task WithoutThemTheOthersAgreeWithTheRecordings(string variable, params string[] missing)
    {
        foreach (string folder in Directory.GetDirectories(CaptureFolder.Root))
        {
            var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [typeof(CliApplication).Assembly.Location, "replay", folder, "--strategy", "all", "--json"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            start.Environment[variable] = "0";
            using Process tool = Process.Start(start)!;
            Task<string> errors = tool.StandardError.ReadToEndAsync();
            string output = await tool.StandardOutput.ReadToEndAsync();
            await tool.WaitForExitAsync();
            Assert.True(tool.ExitCode == 0, $"{folder}: exit status {tool.ExitCode}: {await errors}");
            JsonElement report = JsonDocument.Parse(output).RootElement;
            Assert.Equal(0, report.GetProperty("disagreed").GetInt32());
            string?[] names = [.. report.GetProperty("strategies").EnumerateArray().Select(static strategy => strategy.GetProperty("name").GetString())];
            Assert.Superset(new HashSet<string?> { "naive", "scalar", "grouped", "portable", "auto" }, names.ToHashSet());
            Assert.DoesNotContain(names, name => missing.Contains(name));
        }
    }

    [Theory]
    [InlineData("bogus", "1")]
    [InlineData("avx512", "0")]
    public async Task AStrategyThatThereIsNotIsBadInput(string strategy, string avx512)
    {
        var start = new ProcessStartInfo(
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [typeof(CliApplication).Assembly.Location, "vm", "--seconds", "1"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["FASTNEST_STRATEGY"] = strategy;
        start.Environment["DOTNET_EnableAVX512"] = avx512;
        using Process tool = Process.Start(start)!;
        Task<string> output = tool.StandardOutput.ReadToEndAsync();
        string error = await tool.StandardError.ReadToEndAsync();
        await tool.WaitForExitAsync();
        Assert.Equal((2, ""), (tool.ExitCode, await output));
        Assert.Contains($"FASTNEST_STRATEGY={strategy}", Assert.Single(error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }
}
