using System.Text.Json;
using Xunit;

namespace FastNest.Tests.Cli;

public sealed class DriverReplayTests
{
    private const int Commands = 3110;

    [Fact]
    public void Json_keeps_its_contract()
    {
        ToolRun run = ToolRun.Of("replay", EditedCapture.Shipped, "--driver", "--json");

        JsonElement report = run.Json();
        Assert.Equal(0, run.ExitCode);
        Assert.Equal("amd-a-nvme-virtioblk-strict", report.GetProperty("capture").GetString());
        Assert.Equal(
            [
                ("reads", 40), ("readsAgreed", 40), ("commands", Commands), ("executed", Commands), ("illegal", 0),
                ("batches", Commands), ("headFollowed", Commands), ("completions", 1158), ("completionsDone", 1158),
            ],
            report.EnumerateObject().Skip(1).Select(field => (field.Name, field.Value.GetInt32())));
    }

    [Fact]
    public void Text_shows_the_same()
    {
        ToolRun run = ToolRun.Of("replay", "--driver");

        Assert.Equal(0, run.ExitCode);
        Assert.Matches(@"commands executed +3110 +3110", run.Output);
    }

    [Fact]
    public void An_altered_read_is_found()
    {
        using EditedCapture capture = new();
        capture.Replace("mmio.jsonl", "\"size\":8,\"val\":\"0x29d3\"", "\"size\":8,\"val\":\"0x29d2\"");

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver");

        Assert.Equal(1, run.ExitCode);
        Assert.Matches(@"mmio\.jsonl:\d+: read of 0x30, 8 bytes: expected 0x29d2, found 0x29d3", run.Output);
    }

    [Fact]
    public void An_illegal_command_is_counted_once_and_stops_the_ring()
    {
        using EditedCapture capture = new();
        capture.ChangeLine("commands.jsonl", Commands, line => Raw(line, "0f000000000000f00000000000000000"));

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(1, run.Json().GetProperty("illegal").GetInt32());
        Assert.Equal(Commands - 1, run.Json().GetProperty("executed").GetInt32());
        Assert.Equal(Commands - 1, run.Json().GetProperty("headFollowed").GetInt32());
    }

    [Fact]
    public void A_missing_command_leaves_stale_bytes_that_do_not_pass()
    {
        using EditedCapture capture = new();
        string[] lines = File.ReadAllLines(capture.At("commands.jsonl"));
        File.WriteAllLines(capture.At("commands.jsonl"), lines[1..]);

        Assert.Equal(1, ToolRun.Of("replay", capture.Folder, "--driver").ExitCode);
    }

    [Theory]
    [InlineData("completion_wait", ",\"store\":\"0x51e4000\",\"data\":\"0x7\"", 1)]
    [InlineData("devtab_inval", ",\"devid\":\"00:1f.2\"", 0)]
    [InlineData("pages_inval", ",\"domid\":\"0x3\"", 0)]
    [InlineData("iotlb_inval", ",\"devid\":\"00:02.0\"", 0)]
    [InlineData("iotlb_inval", "", 0)]
    [InlineData("intr_inval", "", 0)]
    [InlineData("prefetch_pages", "", 0)]
    [InlineData("ppr_exec", "", 0)]
    [InlineData("all_inval", "", 0)]
    public void Commands_are_rebuilt_from_their_operands(string name, string operands, int completions)
    {
        using EditedCapture capture = new();
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x8000000051f0000"}
            {"n":2,"op":"w","off":"0x18","size":8,"val":"0x1001"}
            {"n":3,"op":"w","off":"0x2008","size":4,"val":"0x10"}
            {"n":5,"op":"r","off":"0x2000","size":4,"val":"0x10"}
            """);
        capture.Write("commands.jsonl", $$"""{"n":4,"head":"0x0","tail":"0x10","ev":"{{name}}"{{operands}}}""");

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(1, run.Json().GetProperty("executed").GetInt32());
        Assert.Equal(completions, run.Json().GetProperty("completionsDone").GetInt32());
    }

    [Fact]
    public void Rings_outside_the_capture_get_memory()
    {
        using EditedCapture capture = new();
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":4,"val":"0xfff00000"}
            {"n":2,"op":"w","off":"0xc","size":4,"val":"0xf0000ff"}
            {"n":3,"op":"w","off":"0x18","size":8,"val":"0x1001"}
            {"n":4,"op":"w","off":"0x2008","size":4,"val":"0x20"}
            """);
        capture.Write("commands.jsonl", """
            {"n":5,"head":"0x0","tail":"0x20","ev":"completion_wait","store":"0xffffffffffff8","data":"0x1"}
            {"n":6,"head":"0x10","tail":"0x20","ev":"completion_wait","store":"0xffffffffffff8","data":"0x2"}
            """);

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(2, run.Json().GetProperty("completionsDone").GetInt32());
        Assert.Equal(1, run.Json().GetProperty("batches").GetInt32());
    }

    [Fact]
    public void What_stood_in_memory_before_is_no_completion_store()
    {
        using EditedCapture capture = new();
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x8000000051f0000"}
            {"n":2,"op":"w","off":"0x2008","size":4,"val":"0x10"}
            """);
        capture.Write("commands.jsonl", """{"n":3,"head":"0x0","tail":"0x10","ev":"completion_wait","store":"0xffffffffffff8","data":"0x0"}""");

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(1, run.Json().GetProperty("completions").GetInt32());
        Assert.Equal(0, run.Json().GetProperty("completionsDone").GetInt32());
    }

    [Fact]
    public void A_refused_command_is_found_without_an_event_log()
    {
        using EditedCapture capture = new();
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x8000000051f0000"}
            {"n":2,"op":"w","off":"0x18","size":8,"val":"0x1001"}
            {"n":3,"op":"w","off":"0x2008","size":4,"val":"0x10"}
            """);
        capture.Write("commands.jsonl", """{"n":4,"head":"0x0","tail":"0x10","ev":"odd","raw":"000000000000000f0000000000000000"}""");

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(1, run.Json().GetProperty("illegal").GetInt32());
    }

    [Fact]
    public void A_command_refused_as_the_ring_is_enabled_is_found_in_the_event_log()
    {
        using EditedCapture capture = new();
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x8","size":8,"val":"0x8000000051f0000"}
            {"n":2,"op":"w","off":"0x10","size":8,"val":"0x8000000051f2000"}
            {"n":3,"op":"w","off":"0x2008","size":4,"val":"0x10"}
            {"n":4,"op":"w","off":"0x18","size":8,"val":"0x1005"}
            """);
        capture.Write("commands.jsonl", """{"n":5,"head":"0x0","tail":"0x10","ev":"odd","raw":"000000000000000f0000000000000000"}""");

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--driver", "--json");

        Assert.Equal(1, run.ExitCode);
        Assert.Equal(1, run.Json().GetProperty("illegal").GetInt32());
    }

    private static string Raw(string line, string raw) => line[..line.IndexOf("\"raw\"", StringComparison.Ordinal)] + $"\"raw\":\"{raw}\"}}";
}
