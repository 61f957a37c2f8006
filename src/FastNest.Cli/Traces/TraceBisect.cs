using FastNest.Amd;
using FastNest.Amd.Registers;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Replays;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>
/// Finds the first answer in which two runs of a trace differ. Both go through the trace side by side and keep their state, so
/// one scan up to the difference does: a replay depends on nothing but the records before, and to run a shorter part of the trace
/// again would only come to the same answers.
/// </summary>
internal sealed class TraceBisect(string path, TraceRun left, TraceRun right)
{
    public BisectReport Run(WorkMeter meter) => TraceFile.Read<BisectReport>(path, meter, Run);

    private BisectReport Run(TraceReader reader, Action tick)
    {
        using TracePlayer? mine = left.Play(reader.Header);
        using TracePlayer? theirs = right.Play(reader.Header);
        long records = 0;
        long requests = 0;
        while (reader.Read() is { } record)
        {
            records++;
            TraceRecord here = mine?.Play(record) ?? record;
            TraceRecord there = theirs?.Play(record) ?? record;
            if (here.FirstDifference(there) is { } index)
            {
                TraceDifference difference = Describe(record, here, there, index, theirs ?? mine) with { Record = records };
                while (reader.Read() is not null)
                {
                    // Only its end tells that the trace is not damaged, which would look like a difference.
                }

                return Report(records, requests, difference);
            }

            requests += record is RequestsTranslated batch ? batch.Requests.Length : 0;
            tick();
        }

        return Report(records, requests, null);
    }

    private BisectReport Report(long records, long requests, TraceDifference? difference) => new(
        Path.GetFileName(path),
        left.Name,
        right.Name,
        difference is null ? records : records - 1,
        requests + (difference?.Index ?? 0),
        difference);

    private static TraceDifference Describe(TraceRecord record, TraceRecord here, TraceRecord there, int index, TracePlayer? player)
    {
        switch (record)
        {
            case RequestsTranslated batch:
                TranslationRequest request = batch.Requests.Span[index];
                return new("request", record.Offset, $"port {batch.Port}, {index + 1} of {batch.Requests.Length}: {RequestText.Describe(request)}")
                {
                    Index = index,
                    Left = Text(in request, here, index),
                    Right = Text(in request, there, index),
                    Recorded = Text(in request, record, index),
                    Tables = player is null ? null : Explain(player, in request),
                };
            case RegisterRead read:
                return Values("register", record, $"{read.Window} register 0x{read.At:x}, {read.Size} bytes", Value);
            case DirtyTaken taken:
                return Values("dirty bit", record, $"guest {taken.Guest}", Value);
            default:
                var hashed = (MemoryHashed)record;
                return Values("memory", record, $"0x{hashed.Length:x} bytes at 0x{hashed.Address:x}", Value);
        }

        TraceDifference Values(string kind, TraceRecord recorded, string what, Func<TraceRecord, string> value) =>
            new(kind, recorded.Offset, what) { Left = value(here), Right = value(there), Recorded = value(recorded) };
    }

    private static string Value(TraceRecord record) => record switch
    {
        RegisterRead read => $"0x{read.Value:x}",
        DirtyTaken taken => taken.WasDirty ? "dirty" : "clean",
        MemoryHashed hashed => $"hash 0x{hashed.Hash:x16}",
        _ => "",
    };

    private static string Text(in TranslationRequest request, TraceRecord record, int index)
    {
        TranslationResult answer = ((RequestsTranslated)record).Answers.Span[index];
        string text = $"{Answer.Of(in request, in answer)}, domain {answer.Domain}";
        return answer.Succeeded ? text : $"{text}, {answer.Reason} of 0x{answer.Address:x}, stage {answer.Stage}";
    }

    /// <summary>What the tables say that are in memory when the batch is over.</summary>
    private static ReferenceAnswer Explain(TracePlayer player, in TranslationRequest request)
    {
        IommuFeatures features = player.Iommu.Features;
        var reference = new ReferenceIommu(
            new SpaceMemory(player.Memory),
            features.ExtendedFeatures,
            features.ExtendedFeatures2,
            features.IrtCacheDisable,
            features.GuestBufferTranslation);
        foreach (Register register in RegisterMap.All)
        {
            reference.RestoreRegister((ulong)register.Offset, player.Iommu.Read((ulong)register.Offset, sizeof(ulong)));
        }

        return reference.Translate(in request);
    }
}
