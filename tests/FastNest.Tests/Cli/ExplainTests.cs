using System.Text.Json;
using FastNest.Cli.Strategies;
using Xunit;

namespace FastNest.Tests.Cli;

public sealed class ExplainTests
{
    private static readonly string[] Granted = ["explain", EditedCapture.Shipped, "--device", "00:02.0", "--iova", "0xffffe010"];

    [Fact]
    public void Text_shows_every_entry_and_the_verdict()
    {
        ToolRun run = ToolRun.Of(Granted);

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("", run.Error);
        Assert.DoesNotContain('\u001b', run.Output);
        string[] expected =
        [
            "00:02.0 read 0xffffe010 in amd-a-nvme-virtioblk-strict",
            "DTE at 0x51ee200",
            "Mode=3 HostPageTableRoot=0x6853000",
            "host L3 level 3 at 0x6853018",
            "host L2 level 2 at 0x7402ff8",
            "host L1 level 1 at 0x7403ff0",
            "raw     0x7000000007404001",
            "fields  PR=1 A=0 D=0 NextLevel=0 Address=0x7404000 U=0 FC=1 IR=1 IW=1",
            "grants  read+write+execute",
            "verdict    translated by the host table",
            "reference  0x7404010, read+write+execute within 4 KiB",
            "naive      0x7404010, read+write+execute within 4 KiB (agrees)",
            "scalar     0x7404010, read+write+execute within 4 KiB (agrees)",
        ];
        int from = 0;
        foreach (string text in expected)
        {
            int at = run.Output.IndexOf(text, from, StringComparison.Ordinal);
            Assert.True(at >= 0, $"missing, or out of order: {text}\n{run.Output}");
            from = at + text.Length;
        }
    }

    [Fact]
    public void Json_shows_the_same()
    {
        JsonElement json = ToolRun.Of([.. Granted, "--access", "write", "--json"]).Json();

        Assert.Equal("00:02.0", json.GetProperty("device").GetString());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("pasid").ValueKind);
        Assert.Equal("0xffffe010", json.GetProperty("iova").GetString());
        Assert.Equal("write", json.GetProperty("access").GetString());
        Assert.True(json.GetProperty("agrees").GetBoolean());
        Assert.Equal("0x7404010", json.GetProperty("reference").GetProperty("spa").GetString());
        Assert.Equal(Strategy.All.Select(known => known.Name), json.GetProperty("engine").EnumerateArray().Select(answer => answer.GetProperty("strategy").GetString()));
        JsonElement[] steps = [.. json.GetProperty("steps").EnumerateArray()];
        Assert.Equal(["DTE", "host L3", "host L2", "host L1"], steps.Select(step => step.GetProperty("name").GetString()));
        Assert.Equal("0x7403ff0", steps[3].GetProperty("spa").GetString());
        Assert.Equal("0x7000000007404001", steps[3].GetProperty("raw")[0].GetString());
        Assert.Equal("0x7404000", steps[3].GetProperty("fields").GetProperty("Address").GetString());
        Assert.Equal("read+write+execute", steps[3].GetProperty("permissions").GetString());
    }

    [Fact]
    public void A_refusal_names_its_event()
    {
        ToolRun text = ToolRun.Of("explain", EditedCapture.Shipped, "--device", "00:02.0", "--iova", "0xffffff80fff54000", "--access", "write");
        JsonElement json = ToolRun.Of(
            "explain", EditedCapture.Shipped, "--device", "00:02.0", "--iova", "0xffffff80fff54000", "--access", "write", "--json").Json();

        Assert.Equal(0, text.ExitCode);
        Assert.Contains("reference  refused: IO_PAGE_FAULT rw=1 address 0xffffff80fff54000", text.Output, StringComparison.Ordinal);
        JsonElement refusal = json.GetProperty("reference").GetProperty("event");
        Assert.Equal("IO_PAGE_FAULT", refusal.GetProperty("name").GetString());
        Assert.Equal(1, refusal.GetProperty("flags").GetProperty("rw").GetInt32());
        Assert.Equal(0, refusal.GetProperty("flags").GetProperty("pr").GetInt32());
    }

    [Theory]
    [InlineData("--pasid", "0xfffff")]
    [InlineData("--pasid", "7", "--privileged")]
    [InlineData("--access", "execute")]
    public void Every_kind_of_request_is_answered_alike(params string[] more) =>
        Assert.Equal(0, ToolRun.Of([.. Granted, .. more]).ExitCode);

    [Theory]
    [InlineData("--device 00:zz --iova 0x0", "--device 00:zz", "00:1f.2")]
    [InlineData("--device 00:20.0 --iova 0x0", "--device 00:20.0")]
    [InlineData("--device 00:02.0 --iova banana", "--iova banana", "64-bit")]
    [InlineData("--device 00:02.0 --iova 0x10000000000000000", "--iova 0x10000000000000000")]
    [InlineData("--device 00:02.0 --iova 0x0 --access rw", "--access rw", "read, write or execute")]
    [InlineData("--device 00:02.0 --iova 0x0 --pasid 0x100000", "--pasid 0x100000", "0xfffff")]
    [InlineData("--device 00:02.0 --iova 0x0 --pasid -1", "--pasid")]
    [InlineData("--device 00:02.0 --iova 0x0 --privileged", "--privileged", "--pasid")]
    [InlineData("--iova 0x0", "--device")]
    [InlineData("--device 00:02.0", "--iova")]
    public void A_bad_request_is_refused(string options, params string[] named) =>
        ToolRun.Of(["explain", EditedCapture.Shipped, .. options.Split(' ')]).AssertRefused(named);
}
