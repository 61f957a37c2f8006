using System.Text.Json;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>What <c>fastnest vm</c> tells.</summary>
public sealed class VmTests
{
    [Fact]
    public void JsonKeepsItsContract()
    {
        ToolRun run = ToolRun.Of("vm", "--seconds", "2", "--json");

        JsonElement report = run.Json();
        Assert.Equal(0, run.ExitCode);
        Assert.Equal(
            ["capture", "seconds", "hostEvents", "commandsMissed", "wrong", "vms"],
            report.EnumerateObject().Select(field => field.Name));
        Assert.Equal(JsonValueKind.Null, report.GetProperty("capture").ValueKind);
        Assert.InRange(report.GetProperty("seconds").GetDouble(), 2, 60);
        AssertZero(report, "hostEvents", "commandsMissed", "wrong");
        Assert.Equal([0, 1], report.GetProperty("vms").EnumerateArray().Select(vm => vm.GetProperty("vm").GetInt32()));
        Assert.All(report.GetProperty("vms").EnumerateArray(), AssertVm);
    }

    [Fact]
    public void TextShowsTheSame()
    {
        ToolRun run = ToolRun.Of("vm", "--seconds", "1", "--capture", EditedCapture.Shipped);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("", run.Error);
        Assert.StartsWith("amd-a-nvme-virtioblk-strict: 2 VMs, ", run.Output, StringComparison.Ordinal);
        Assert.Matches(@"register accesses at the start +3,194 +3,194", run.Output);
        Assert.Matches(@"translations +[1-9][0-9,]+ +[1-9][0-9,]+", run.Output);
        Assert.Matches(@"stale reads +0 +0", run.Output);
        Assert.Matches(@"foreign reads +0 +0", run.Output);
    }

    [Theory]
    [InlineData("vm --seconds 0", "--seconds 0: expected a number from 1 to 86400")]
    [InlineData("vm --seconds soon", "--seconds soon")]
    [InlineData("vm --seconds", "--seconds")]
    [InlineData("vm --capture", "--capture")]
    [InlineData("vm --capture nowhere-at-all", "nowhere-at-all")]
    [InlineData("vm nowhere-at-all", "nowhere-at-all")]
    public void ABadCommandLineIsRefusedInOneLine(string line, string named) => ToolRun.Of(line.Split(' ')).AssertRefused(named);

    [Fact]
    public void ADriverWhoseRingsNoVmCanHaveIsRefused()
    {
        using EditedCapture capture = new();
        capture.Write("commands.jsonl", "");
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x80ffffffff00000"}
            {"n":2,"op":"w","off":"0x10","size":8,"val":"0x8000000051f2000"}
            """);

        ToolRun.Of("vm", "--capture", capture.Folder).AssertRefused("mmio.jsonl", "expected rings that a VM can have");
    }

    [Theory]
    [InlineData("0x0", "expected a driver that leaves its command buffer and its event log running")]
    [InlineData("0x1001", "expected a driver that leaves its command buffer and its event log running")]
    public void ADriverThatDoesNotStartItsRingsIsRefused(string control, string complaint)
    {
        using EditedCapture capture = new();
        capture.Write("commands.jsonl", "");
        capture.Write("mmio.jsonl", $$"""
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x8000000051f0000"}
            {"n":2,"op":"w","off":"0x10","size":8,"val":"0x8000000051f2000"}
            {"n":3,"op":"w","off":"0x18","size":8,"val":"{{control}}"}
            """);

        ToolRun.Of("vm", "--capture", capture.Folder).AssertRefused("mmio.jsonl", complaint);
    }

    [Fact]
    public void ADriverWithoutRingsIsRefused()
    {
        using EditedCapture capture = new();
        capture.Write("commands.jsonl", "");
        capture.Write("mmio.jsonl", """{"n":1,"op":"r","off":"0x30","size":8,"val":"0x0"}""");

        ToolRun.Of("vm", "--capture", capture.Folder).AssertRefused("mmio.jsonl", "expected a driver that sets up a command buffer");
    }

    private static void AssertVm(JsonElement vm)
    {
        string[] done =
        [
            "commands", "invalidations", "waits", "remaps", "translations", "dmaReads", "dmaWrites", "dmaBytes", "faults", "events",
            "hostFaults", "migrations",
        ];
        string[] wrong = ["staleReads", "staleWrites", "foreignReads", "foreignEvents", "lostWrites", "wrongFaults", "timeouts", "wrong"];
        Assert.Equal(["vm", "boot", .. done, .. wrong], vm.EnumerateObject().Select(field => field.Name));
        Assert.All(done, name => Assert.True(vm.GetProperty(name).GetInt64() > 0, name));
        AssertZero(vm, wrong);
        Assert.InRange(vm.GetProperty("boot").GetProperty("accesses").GetInt32(), 40, 60);
        AssertZero(vm.GetProperty("boot"), "absent", "readsDiffer", "commands", "commandsNotOffered", "completionsMissed", "headsBehind");
    }

    private static void AssertZero(JsonElement parent, params string[] names) =>
        Assert.All(names, name => Assert.Equal((name, 0), (name, parent.GetProperty(name).GetInt64())));
}
