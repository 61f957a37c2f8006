using FastNest.Cli.Output;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>Plays a trace under strategies and compares what they answer with what was recorded.</summary>
internal sealed class TraceReplay(string path)
{
    private long _records;
    private long _requests;
    private long _reads;
    private long _hashes;

    public TraceReport Run(IReadOnlyList<TraceRun> runs, WorkMeter meter)
    {
        List<TraceScore> scores = [];
        foreach (TraceRun run in runs)
        {
            scores.Add(TraceFile.Read(path, meter.Part(1.0 / runs.Count), (reader, tick) => Run(run, reader, tick)));
        }

        return new(Path.GetFileName(path), _records, _requests, _reads, _hashes, scores);
    }

    private TraceScore Run(TraceRun run, TraceReader reader, Action tick)
    {
        using TracePlayer? player = run.Play(reader.Header);
        long agreed = 0;
        long disagreed = 0;
        long? first = null;
        (_records, _requests, _reads, _hashes) = (0, 0, 0, 0);
        while (reader.Read() is { } record)
        {
            _records++;
            TraceRecord played = player?.Play(record) ?? record;
            if (!Count(record))
            {
                continue;
            }

            bool agrees = played.FirstDifference(record) is null;
            agreed += agrees ? 1 : 0;
            disagreed += agrees ? 0 : 1;
            first ??= agrees ? null : _records;
            tick();
        }

        return new(run.Name, agreed, disagreed, first);
    }

    /// <summary>Counts a record.</summary>
    /// <returns>Whether it has answers.</returns>
    private bool Count(TraceRecord record)
    {
        switch (record)
        {
            case RequestsTranslated batch:
                _requests += batch.Requests.Length;
                return true;
            case RegisterRead or DirtyTaken:
                _reads++;
                return true;
            case MemoryHashed:
                _hashes++;
                return true;
            default:
                return false;
        }
    }
}
