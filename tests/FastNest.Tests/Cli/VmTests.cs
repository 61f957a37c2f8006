using System.Text.Json;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>Two VMs from their drivers' start to their end, with a content for every page that tells whose it is.</summary>
[Trait("Suite", "iommufd")]
public sealed class VmTests
{
    [Fact]
    public void EachVmReachesItsOwnMemoryAndNothingStaleWhileTheHostMovesIt()
    {
        ToolRun run = ToolRun.Of("vm", "--seconds", "1", "--json");
        Assert.Equal(0, run.ExitCode);
        JsonElement report = run.Json();
        Assert.Equal((0, 0), (report.GetProperty("wrong").GetInt64(), report.GetProperty("pinned").GetInt64()));
        JsonElement[] vms = [.. report.GetProperty("vms").EnumerateArray()];
        Assert.Equal(["vm0", "vm1"], vms.Select(static vm => vm.GetProperty("name").GetString()));
        foreach (JsonElement vm in vms)
        {
            foreach (string counter in (string[])["traps", "commands", "maps", "unmaps", "moves", "translations", "dmaBytes", "refused", "events"])
            {
                Assert.True(vm.GetProperty(counter).GetInt64() > 0, counter);
            }

            foreach (string wrong in (string[])["stale", "foreign", "lost", "late"])
            {
                Assert.Equal(0, vm.GetProperty(wrong).GetInt64());
            }
        }
    }

    [Fact]
    public void TextTellsWhatEachDid()
    {
        ToolRun run = ToolRun.Of("vm", "--seconds", "0.2");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Contains("commands run by hardware", run.Output, StringComparison.Ordinal);
        Assert.Contains("wrong in all: 0", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-1")]
    [InlineData("86401")]
    [InlineData("many")]
    public void ATimeThatIsNoneIsRefused(string seconds) => ToolRun.Of("vm", "--seconds", seconds).AssertRefused("--seconds");
}
