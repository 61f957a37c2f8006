using System.Text.Json;
using FastNest.Cli.Strategies;
using Xunit;

namespace FastNest.Tests.Cli;

public sealed class ReplayTests
{
    private const int Requests = 2472;
    private const int RecordedErrors = 156;

    [Fact]
    public void Without_a_folder_the_shipped_capture_agrees()
    {
        ToolRun run = ToolRun.Of("replay", "--repeat", "1");

        Assert.Equal(0, run.ExitCode);
        Assert.Contains("amd-a-nvme-virtioblk-strict", run.Output, StringComparison.Ordinal);
        Assert.Contains("naive", run.Output, StringComparison.Ordinal);
        Assert.Contains("scalar", run.Output, StringComparison.Ordinal);
        Assert.Contains("ns per translation", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', run.Output);
    }

    [Fact]
    public void Json_keeps_its_contract()
    {
        JsonElement report = ToolRun.Of("replay", EditedCapture.Shipped, "--strategy", "all", "--json", "--repeat", "3").Json();

        Assert.Equal(
            ["capture", "requests", "recordedErrors", "agreed", "disagreed", "reference", "strategies"],
            report.EnumerateObject().Select(field => field.Name));
        Assert.Equal("amd-a-nvme-virtioblk-strict", report.GetProperty("capture").GetString());
        Assert.Equal(Requests, report.GetProperty("requests").GetInt32());
        Assert.Equal(RecordedErrors, report.GetProperty("recordedErrors").GetInt32());
        AssertScore(report, Requests, 0);
        AssertScore(report.GetProperty("reference"), Requests, 0);
        Assert.Equal(Strategy.All.Select(known => known.Name), report.GetProperty("strategies").EnumerateArray().Select(s => s.GetProperty("name").GetString()));
        Assert.All(report.GetProperty("strategies").EnumerateArray(), strategy =>
        {
            AssertScore(strategy, Requests, 0);
            Assert.True(strategy.GetProperty("nsPerTranslation").GetDouble() > 0);
        });
    }

    [Fact]
    public void A_strategy_runs_alone()
    {
        JsonElement report = ToolRun.Of("replay", "--strategy", "scalar", "--json").Json();

        JsonElement strategy = Assert.Single(report.GetProperty("strategies").EnumerateArray());
        Assert.Equal("scalar", strategy.GetProperty("name").GetString());
    }

    [Fact]
    public void Without_recorded_errors_only_requests_count()
    {
        using EditedCapture capture = new();
        capture.Delete("recorded-errors.jsonl");

        JsonElement report = ToolRun.Of("replay", capture.Folder, "--json", "--repeat", "1").Json();

        Assert.Equal(Requests - RecordedErrors, report.GetProperty("requests").GetInt32());
        Assert.Equal(0, report.GetProperty("recordedErrors").GetInt32());
    }

    [Fact]
    public void An_altered_answer_is_found_and_explained()
    {
        using EditedCapture capture = new();
        capture.Replace("requests.jsonl", "\"spa\":\"0x7404000\"", "\"spa\":\"0x7405000\"");

        ToolRun text = ToolRun.Of("replay", capture.Folder, "--repeat", "1");
        ToolRun json = ToolRun.Of("replay", capture.Folder, "--repeat", "1", "--json");

        Assert.Equal(1, text.ExitCode);
        Assert.Contains("requests.jsonl:1: 00:02.0 read 0xffffe000", text.Output, StringComparison.Ordinal);
        Assert.Contains("expected   0x7405000", text.Output, StringComparison.Ordinal);
        Assert.Contains("scalar     0x7404000", text.Output, StringComparison.Ordinal);
        Assert.Contains("host L1  at 0x7403ff0: 7000000007404001", text.Output, StringComparison.Ordinal);
        Assert.Equal(1, json.ExitCode);
        AssertScore(json.Json(), Requests - 1, 1);
        AssertScore(json.Json().GetProperty("reference"), Requests - 1, 1);
    }

    [Fact]
    public void At_most_ten_disagreements_are_explained()
    {
        using EditedCapture capture = new();
        for (int line = 1; line <= 12; line++)
        {
            capture.ChangeLine("requests.jsonl", line, text => text.Replace("\"spa\":\"0x", "\"spa\":\"0x1", StringComparison.Ordinal));
        }

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--repeat", "1");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("requests.jsonl:10:", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("requests.jsonl:11:", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", 0)]
    [InlineData("{\"event\":\"IO_PAGE_FAULT\"}", 0)]
    [InlineData("{\"event\":\"IO_PAGE_FAULT\",\"pr\":0,\"pe\":0,\"rz\":0,\"gn\":0,\"nx\":0,\"us\":0,\"i\":0,\"tr\":0,\"rw\":1}", 0)]
    [InlineData("{\"pr\":1}", 1)]
    [InlineData("{\"rw\":0}", 1)]
    [InlineData("{\"event\":\"PAGE_TAB_HARDWARE_ERROR\"}", 1)]
    [InlineData("null", 0)]
    public void Of_a_fault_only_what_is_given_is_judged(string fault, int exitCode)
    {
        using EditedCapture capture = new();
        capture.Delete("recorded-errors.jsonl");
        capture.Write(
            "requests.jsonl",
            """{"device":"00:02.0","pasid":null,"iova":"0x80fff70000","access":"write","privileged":false,"spa":null,"fault":"""
                + fault + "}\n");

        Assert.Equal(exitCode, ToolRun.Of("replay", capture.Folder, "--repeat", "1").ExitCode);
    }

    [Fact]
    public void A_recorded_error_is_answered_by_the_architecture()
    {
        using EditedCapture capture = new();
        capture.ChangeLine("recorded-errors.jsonl", 1, text => text.Replace("\"spa\":null", "\"spa\":\"0x7778000\"", StringComparison.Ordinal));

        ToolRun run = ToolRun.Of("replay", capture.Folder, "--repeat", "1");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("recorded-errors.jsonl:1:", run.Output, StringComparison.Ordinal);
        Assert.Contains("beyond mode", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reserved_register_may_hold_zero()
    {
        using EditedCapture capture = new();
        capture.Replace("registers.json", "\"0x2038\": \"0x0\"", "\"0x2038\": \"0x0\", \"0x3ff8\": \"0x0\"");

        Assert.Equal(0, ToolRun.Of("replay", capture.Folder, "--repeat", "1").ExitCode);
    }

    private static void AssertScore(JsonElement score, int agreed, int disagreed)
    {
        Assert.Equal(agreed, score.GetProperty("agreed").GetInt32());
        Assert.Equal(disagreed, score.GetProperty("disagreed").GetInt32());
    }
}
