using FastNest.Cli.Output;
using FastNest.Cli.Traces;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Properties;
using FastNest.Traces;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Traces;

/// <summary>A trace is answered as it was recorded, under every strategy, until something is changed. To replay, see <see cref="Seed"/>.</summary>
public sealed class TraceReplayTests
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 8)]
    public void ARandomWorkloadIsAnsweredAsRecordedUnderEveryStrategy(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        byte[] trace = Workload(seed.Value, 300);
        List<TraceRecord> records = TraceBytes.Read(trace);
        RequestsTranslated[] batches = [.. records.OfType<RequestsTranslated>()];

        // What the workload is made for.
        TranslationResult[] answers = [.. batches.SelectMany(batch => batch.Answers.ToArray())];
        Assert.InRange(answers.Count(answer => answer.Succeeded), 1000, 100_000);
        Assert.InRange(answers.Count(answer => !answer.Succeeded), 100, 100_000);
        Assert.Contains(batches, batch => batch.IsBound);
        Assert.Contains(batches, batch => !batch.IsBound && batch.Requests.Length >= 32);
        Assert.Contains(answers, answer => answer is { Succeeded: true, PageShift: 21 });
        Assert.Contains(batches, batch => batch.Requests.Span[0].HasPasid);
        Assert.Contains(records, record => record is RegisterRead);
        Assert.Equal(2, records.OfType<MemoryHashed>().Count());

        foreach (TraceRun run in TraceRun.All)
        {
            List<TraceRecord> played = TraceBytes.Play(trace, header => run.Play(header)!);
            Assert.Equal(records.Select(TraceBytes.Text), played.Select(TraceBytes.Text));
        }
    }

    [Fact]
    public void TheSameSeedGivesTheSameBytes()
    {
        Assert.Equal(Workload(11, 100), Workload(11, 100));
        Assert.NotEqual(Workload(11, 100), Workload(12, 100));
    }

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 10)]
    public void AnAlteredAnswerIsFoundAtItsRequest(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        byte[] trace = Workload(seed.Value, 60);
        List<TraceRecord> records = TraceBytes.Read(trace);
        int[] batches = [.. Enumerable.Range(0, records.Count).Where(i => records[i] is RequestsTranslated)];
        int record = dice.From(batches);
        int index = dice.Below(((RequestsTranslated)records[record]).Requests.Length);
        byte[] altered = TraceBytes.Change(trace, record, old => Alter((RequestsTranslated)old, index));

        BisectReport report = Bisect(altered, TraceRun.Recorded, dice.From(TraceRun.All));

        Assert.Equal(("request", record + 1L, index), (report.Difference?.Kind, report.Difference?.Record, report.Difference?.Index));
        Assert.Equal(record, report.Records);
        Assert.Equal(
            records.Take(record).OfType<RequestsTranslated>().Sum(batch => (long)batch.Requests.Length) + index, report.Requests);
        Assert.Null(Bisect(trace, TraceRun.Recorded, TraceRun.Same).Difference);
    }

    [Fact]
    public void AnAlteredEntryIsFoundAtTheFirstRequestThatReadsIt()
    {
        using var machine = new TraceMachine();
        using RecordedPort port = machine.Machine.OpenPort();
        TranslationRequest[] requests = [.. Enumerable.Range(0, 20).Select(i => TraceMachine.Request(i))];
        port.Translate(requests, new TranslationResult[20]);
        port.Translate([.. Enumerable.Range(20, 20).Select(i => TraceMachine.Request(i))], new TranslationResult[20]);
        byte[] trace = machine.Trace();
        List<TraceRecord> records = TraceBytes.Read(trace);
        int entry = records.FindIndex(record => record is MemoryWritten { Address: TraceMachine.LeafTable + 27 * 8 });

        BisectReport report = Bisect(
            TraceBytes.Change(trace, entry, old => ((MemoryWritten)old) with { Bytes = BitConverter.GetBytes(Bits.Pte(0x40_5000)) }),
            TraceRun.Recorded,
            TraceRun.Same);

        int second = records.FindLastIndex(record => record is RequestsTranslated);
        Assert.Equal((second + 1L, 7, 27L), (report.Difference!.Record, report.Difference.Index, report.Requests));
        Assert.Equal(records[second].Offset, report.Difference.Offset);
        Assert.Contains("0x1b000", report.Difference.What, StringComparison.Ordinal);
        Assert.StartsWith("0x41b000", report.Difference.Left, StringComparison.Ordinal);
        Assert.StartsWith("0x405000", report.Difference.Right, StringComparison.Ordinal);
        Assert.StartsWith("0x405000", report.Difference.TablesAnswer, StringComparison.Ordinal);
        Assert.Equal(4, report.Difference.Steps.Count); // the device's entry and three tables
    }

    /// <summary>What software forgot to invalidate, caches may still give: two strategies with other caches differ from there on.</summary>
    [Fact]
    public void TwoStrategiesDifferFirstWhereACacheIsStale()
    {
        using var machine = new TraceMachine();
        using RecordedPort port = machine.Machine.OpenPort();
        port.Translate(TraceMachine.Request(3));
        machine.Map(3, TraceMachine.Data + 0x3F_F000);
        port.Translate(TraceMachine.Request(4));
        TranslationResult stale = port.Translate(TraceMachine.Request(3));
        Assert.Equal(TraceMachine.Data + 0x3000, stale.Address);
        byte[] trace = machine.Trace();

        BisectReport report = Bisect(trace, TraceRun.All.Single(run => run.Name == "naive"), TraceRun.All.Single(run => run.Name == "scalar"));

        Assert.Equal((2L, "request"), (report.Requests, report.Difference!.Kind));
        Assert.StartsWith("0x7ff000", report.Difference.Left, StringComparison.Ordinal);
        Assert.StartsWith("0x403000", report.Difference.Right, StringComparison.Ordinal);
        Assert.Equal(report.Difference.Right, report.Difference.Recorded);
        Assert.Null(Bisect(trace, TraceRun.Recorded, TraceRun.Same).Difference);
    }

    /// <summary>A port is replayed with the caches that it had, where a strategy would bring its own.</summary>
    [Fact]
    public void ThePortsOfATraceHaveTheRecordedCaches()
    {
        using var machine = new TraceMachine();
        using RecordedPort port = machine.Machine.OpenPort(CacheOptions.None, WalkStrategy.Scalar);
        port.Translate(TraceMachine.Request(3));
        machine.Map(3, TraceMachine.Data + 0x3F_F000);
        Assert.Equal(TraceMachine.Data + 0x3F_F000, port.Translate(TraceMachine.Request(3)).Address);
        byte[] trace = machine.Trace();

        Assert.Null(Bisect(trace, TraceRun.Recorded, TraceRun.Same).Difference);
        Assert.Equal(1, Bisect(trace, TraceRun.Recorded, TraceRun.All.Single(run => run.Name == "scalar")).Requests);
    }

    [Fact]
    public void DifferencesOfRegistersAndMemoryAreFoundToo()
    {
        using var machine = new TraceMachine();
        machine.Machine.HashMemory();
        machine.Machine.Iommu.Read(Mmio.Status, 8);
        byte[] trace = machine.Trace();
        List<TraceRecord> records = TraceBytes.Read(trace);
        int hash = records.FindIndex(record => record is MemoryHashed);
        int read = records.FindIndex(record => record is RegisterRead);

        TraceDifference? memory = Bisect(
            TraceBytes.Change(trace, hash, old => ((MemoryHashed)old) with { Hash = 5 }), TraceRun.Recorded, TraceRun.Same).Difference;
        TraceDifference? register = Bisect(
            TraceBytes.Change(trace, read, old => ((RegisterRead)old) with { Value = 5 }), TraceRun.Same, TraceRun.Recorded).Difference;

        Assert.Equal(("memory", hash + 1L), (memory?.Kind, memory?.Record));
        Assert.Equal("hash 0x0000000000000005", memory?.Left);
        Assert.Equal(("register", read + 1L), (register?.Kind, register?.Record));
        Assert.Equal("0x5", register?.Right);
    }

    private static RequestsTranslated Alter(RequestsTranslated batch, int index)
    {
        TranslationResult[] answers = batch.Answers.ToArray();
        TranslationResult old = answers[index];
        answers[index] = old.Succeeded
            ? TranslationResult.Success(old.Address ^ 0x1000, old.PageShift, old.Permissions, old.Domain)
            : TranslationResult.Fault(old.Reason, old.Address, old.Attempted, old.Stage, (ushort)(old.Domain ^ 1));
        return batch with { Answers = answers };
    }

    private static byte[] Workload(int seed, int steps)
    {
        using var stream = new MemoryStream();
        using (var recording = new WorkloadRecording(stream, seed))
        {
            recording.Run(steps, "test");
        }

        return stream.ToArray();
    }

    private static BisectReport Bisect(byte[] trace, TraceRun left, TraceRun right)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, trace);
            return new TraceBisect(path, left, right).Run(new WorkMeter());
        }
        finally
        {
            File.Delete(path);
        }
    }
}
