using System.Text.Json;
using FastNest.Cli.Strategies;
using FastNest.Requests;
using FastNest.Tests.Traces;
using FastNest.Traces;
using Xunit;

namespace FastNest.Tests.Cli;

public sealed class TraceCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fastnest-").FullName;

    private string Trace => Path.Combine(_folder, "a.trace");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void ARecordedWorkloadReplaysAndBisectsToNothing()
    {
        JsonElement recorded = ToolRun.Of("record", Trace, "--seed", "5", "--steps", "80", "--json").Json();
        ToolRun replay = ToolRun.Of("replay", Trace);
        JsonElement report = ToolRun.Of("replay", Trace, "--json").Json();
        ToolRun bisect = ToolRun.Of("bisect", Trace, "--left", "naive", "--right", "grouped");

        Assert.Equal(["trace", "host", "records", "requests", "bytes", "bytesPerRequest"], recorded.EnumerateObject().Select(field => field.Name));
        Assert.Equal(new FileInfo(Trace).Length, recorded.GetProperty("bytes").GetInt64());
        Assert.InRange(recorded.GetProperty("requests").GetInt64(), 500, 100_000);
        Assert.Equal(0, replay.ExitCode);
        Assert.Contains("grouped", replay.Output, StringComparison.Ordinal);
        Assert.Equal(["trace", "records", "requests", "reads", "hashes", "strategies"], report.EnumerateObject().Select(field => field.Name));
        Assert.Equal(recorded.GetProperty("requests").GetInt64(), report.GetProperty("requests").GetInt64());
        Assert.Equal(
            ["same", .. Strategy.All.Select(known => known.Name)],
            report.GetProperty("strategies").EnumerateArray().Select(strategy => strategy.GetProperty("name").GetString()));
        Assert.All(report.GetProperty("strategies").EnumerateArray(), strategy =>
        {
            Assert.InRange(strategy.GetProperty("agreed").GetInt64(), 30, 1000);
            Assert.Equal(0, strategy.GetProperty("disagreed").GetInt64());
            Assert.Equal(JsonValueKind.Null, strategy.GetProperty("first").ValueKind);
        });
        Assert.Equal(0, bisect.ExitCode);
        Assert.Contains("naive and grouped agree", bisect.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void TheSameArgumentsGiveTheSameFile()
    {
        string other = Path.Combine(_folder, "b.trace");
        ToolRun.Of("record", Trace, "--seed", "9", "--steps", "20");
        ToolRun.Of("record", other, "--seed", "9", "--steps", "20");
        Assert.Equal(File.ReadAllBytes(Trace), File.ReadAllBytes(other));
    }

    [Fact]
    public void ACaptureBecomesATraceWithItsDriver()
    {
        Assert.Equal(0, ToolRun.Of("record", Trace, "--capture", EditedCapture.Shipped).ExitCode);
        List<TraceRecord> records = TraceBytes.Read(File.ReadAllBytes(Trace));

        Assert.Equal(2 * 2472, records.OfType<RequestsTranslated>().Sum(batch => batch.Requests.Length));
        Assert.InRange(records.OfType<RegisterWritten>().Count(), 1000, 100_000);
        Assert.Contains(records, record => record is RegisterRestored);
        Assert.Equal(0, ToolRun.Of("replay", Trace, "--strategy", "scalar").ExitCode);
    }

    [Fact]
    public void AnAlteredAnswerMakesTheStatusOne()
    {
        ToolRun.Of("record", Trace, "--steps", "40");
        byte[] trace = File.ReadAllBytes(Trace);
        List<TraceRecord> records = TraceBytes.Read(trace);
        int index = records.FindIndex(record => record is RequestsTranslated { Requests.Length: > 3 });
        File.WriteAllBytes(Trace, TraceBytes.Change(trace, index, static old =>
        {
            var batch = (RequestsTranslated)old;
            TranslationResult[] answers = batch.Answers.ToArray();
            answers[3] = TranslationResult.Success(0xABC_D000, 12, Access.Read, 77);
            return batch with { Answers = answers };
        }));

        ToolRun replay = ToolRun.Of("replay", Trace);
        ToolRun text = ToolRun.Of("bisect", Trace);
        ToolRun json = ToolRun.Of("bisect", Trace, "--left", "same", "--right", "recorded", "--json");

        Assert.Equal((1, 1, 1), (replay.ExitCode, text.ExitCode, json.ExitCode));
        Assert.Contains($"they differ in record {index + 1}", text.Output, StringComparison.Ordinal);
        Assert.Contains("recorded   0xabcd000, read within 4 KiB, domain 77", text.Output, StringComparison.Ordinal);
        Assert.Contains("in memory", text.Output, StringComparison.Ordinal);
        JsonElement report = json.Json();
        Assert.Equal(["trace", "left", "right", "records", "requests", "difference"], report.EnumerateObject().Select(field => field.Name));
        JsonElement difference = report.GetProperty("difference");
        Assert.Equal(
            ["kind", "offset", "what", "record", "index", "left", "right", "recorded", "tables", "steps", "verdict"],
            difference.EnumerateObject().Select(field => field.Name));
        Assert.Equal((index + 1, 3), (difference.GetProperty("record").GetInt32(), difference.GetProperty("index").GetInt32()));
        Assert.StartsWith("0xabcd000", difference.GetProperty("right").GetString(), StringComparison.Ordinal);
    }

    /// <summary>A damaged answer is no difference between versions.</summary>
    [Fact]
    public void ADamagedTraceIsNoDifference()
    {
        ToolRun.Of("record", Trace, "--steps", "40");
        byte[] trace = File.ReadAllBytes(Trace);
        long last = TraceBytes.Read(trace).Last(record => record is MemoryHashed).Offset;
        trace[(int)last + 9] ^= 1; // within the hash: before it stand the kind, page 0 and 2^40 pages, eight bytes in all
        File.WriteAllBytes(Trace, trace);

        ToolRun.Of("bisect", Trace).AssertRefused("end.checksum", "damaged");
    }

    /// <summary>As `replay` refuses it: a machine without that register would be another one.</summary>
    [Fact]
    public void ACaptureOfARegisterThatIsNotThereIsRefusedAndLeavesNoTrace()
    {
        using var capture = new EditedCapture();
        capture.Replace("registers.json", "\"0x10\"", "\"0x1f8\"");
        ToolRun.Of("record", Trace, "--capture", capture.Folder).AssertRefused("registers.json:7: ", "register 0x1f8");
        Assert.False(File.Exists(Trace));
    }

    [Fact]
    public void BadInputIsRefusedInOneLine()
    {
        ToolRun.Of("record", Trace, "--steps", "5");
        byte[] trace = File.ReadAllBytes(Trace);
        string cut = Path.Combine(_folder, "cut.trace");
        File.WriteAllBytes(cut, trace[..^1]);
        string text = Path.Combine(_folder, "no.trace");
        File.WriteAllText(text, "this is no trace at all");
        string missing = Path.Combine(_folder, "missing.trace");

        ToolRun.Of("replay", cut).AssertRefused("cut.trace", "offset 0x", "end.checksum");
        ToolRun.Of("bisect", cut).AssertRefused("cut.trace", "offset 0x");
        ToolRun.Of("replay", text).AssertRefused("no.trace", "magic");
        ToolRun.Of("bisect", missing).AssertRefused("missing.trace");
        ToolRun.Of("replay", missing).AssertRefused("missing.trace");
        ToolRun.Of("replay", Trace, "--driver").AssertRefused("--driver");
        ToolRun.Of("replay", Trace, "--repeat", "3").AssertRefused("--repeat");
        ToolRun.Of("bisect", Trace, "--left", "magic").AssertRefused("--left magic", "recorded, same, naive");
        ToolRun.Of("bisect", "--left", "same").AssertRefused("argument missing", "bisect");
        ToolRun.Of("record", Path.Combine(missing, "deeper")).AssertRefused("deeper", "can be written");
        ToolRun.Of("record", Trace, "--steps", "0").AssertRefused("--steps 0", "1 to");
        ToolRun.Of("record", Trace, "--capture", EditedCapture.Shipped, "--seed", "1").AssertRefused("--capture");
        ToolRun.Of("record", Trace, "--capture", missing).AssertRefused("missing.trace");
        Assert.Equal(trace, File.ReadAllBytes(Trace)); // what was refused wrote nothing
    }
}
