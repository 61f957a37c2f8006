using System.Diagnostics;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Cli.Replays;

/// <summary>
/// One strategy's rounds over all requests. Every round's answers are judged: the first comes from cold caches, the later
/// ones from warm caches.
/// </summary>
internal sealed class StrategyRun(string name, IReadOnlyList<RecordedRequest> recorded)
{
    private const int FewestRounds = 9;

    private static readonly TimeSpan EnoughTime = TimeSpan.FromMilliseconds(150);

    private readonly Dictionary<int, TranslationResult> _wrong = [];
    private readonly TranslationResult[] _results = new TranslationResult[recorded.Count];
    private readonly List<double> _nanoseconds = [];

    public string Name => name;

    /// <summary>For each request, whether it agreed in every round.</summary>
    public bool[] Agrees { get; } = [.. Enumerable.Repeat(true, recorded.Count)];

    public StrategyScore Score
    {
        get
        {
            Score score = Replays.Score.Of(Agrees);
            return new(name, score.Agreed, score.Disagreed, Math.Round(Median(), 2));
        }
    }

    /// <summary>The first answer that did not agree, or the last answer.</summary>
    public Answer Answer(int index) =>
        Replays.Answer.Of(recorded[index].Request, _wrong.GetValueOrDefault(index, _results[index]));

    public void Measure(TranslationPort port, TranslationRequest[] requests, int? repeat, WorkMeter meter)
    {
        port.Translate(requests, _results);
        Judge();
        long start = Stopwatch.GetTimestamp();
        while (repeat is { } rounds ? _nanoseconds.Count < rounds : IsShort(start))
        {
            long before = Stopwatch.GetTimestamp();
            port.Translate(requests, _results);
            _nanoseconds.Add(Stopwatch.GetElapsedTime(before).TotalNanoseconds / requests.Length);
            Judge();
            meter.Report(repeat is { } total
                ? (double)_nanoseconds.Count / total
                : Stopwatch.GetElapsedTime(start) / EnoughTime);
        }
    }

    private bool IsShort(long start) => _nanoseconds.Count < FewestRounds || Stopwatch.GetElapsedTime(start) < EnoughTime;

    private void Judge()
    {
        for (int i = 0; i < _results.Length; i++)
        {
            RecordedRequest expected = recorded[i];
            ref readonly TranslationResult result = ref _results[i];
            TranslationRequest request = expected.Request;
            if (!expected.Agrees(result.Succeeded ? result.Address : null, Amd.AmdIommu.Describe(in request, in result)))
            {
                Agrees[i] = false;
                _wrong.TryAdd(i, result);
            }
        }
    }

    private double Median()
    {
        double[] sorted = [.. _nanoseconds.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
