using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Cli.Strategies;
using FastNest.Requests;

namespace FastNest.Cli.Replays;

/// <summary>Puts the requests of a capture through strategies and the reference and judges every answer.</summary>
internal sealed class RequestReplay
{
    private readonly CaptureFolder _folder;
    private readonly RegisterSnapshot _registers;
    private readonly List<RecordedRequest> _recorded;
    private readonly TranslationRequest[] _requests;

    public RequestReplay(CaptureFolder folder)
    {
        _folder = folder;
        _registers = folder.Registers();
        _recorded = folder.Requests();
        _requests = [.. _recorded.Select(recorded => recorded.Request)];
    }

    /// <param name="strategies">Which to try.</param>
    /// <param name="repeat">The number of timed rounds of each; null for enough of them.</param>
    /// <param name="meter">Told of the progress.</param>
    public ReplayReport Run(IReadOnlyList<Strategy> strategies, int? repeat, WorkMeter meter)
    {
        double[] shares = [.. Enumerable.Repeat(1.0 / (strategies.Count + 1), strategies.Count + 1)];
        Answer[] reference = AskReference(meter.Part(shares[0]));
        bool[] referenceAgrees = [.. reference.Select((answer, i) => _recorded[i].Agrees(answer.Spa, answer.Event))];
        StrategyRun[] runs = [.. strategies.Select((strategy, i) => Try(strategy, repeat, meter.Part(shares[i + 1])))];

        StrategyScore[] scores = [.. runs.Select(run => run.Score)];
        int agreed = Enumerable.Range(0, _requests.Length).Count(i => runs.All(run => run.Agrees[i]));
        return new(
            _folder.Name,
            _requests.Length,
            _recorded.Count(recorded => recorded.Rule is not null),
            agreed,
            _requests.Length - agreed,
            Score.Of(referenceAgrees),
            scores)
        {
            Disagreements = [.. Disagreements(reference, referenceAgrees, runs).Take(Disagreement.Shown)],
        };
    }

    private Answer[] AskReference(WorkMeter meter)
    {
        using Machine machine = Machine.Restore(_folder, _registers);
        var answers = new Answer[_requests.Length];
        for (int i = 0; i < answers.Length; i++)
        {
            answers[i] = Answer.Of(machine.Reference.Translate(in _requests[i]));
            meter.Report((i + 1.0) / answers.Length);
        }

        return answers;
    }

    private StrategyRun Try(Strategy strategy, int? repeat, WorkMeter meter)
    {
        using Machine machine = Machine.Restore(_folder, _registers);
        using Engine.TranslationPort port = machine.Iommu.OpenPort(strategy.Caches, strategy.Walks);
        var run = new StrategyRun(strategy.Name, _recorded);
        run.Measure(port, _requests, repeat, meter);
        return run;
    }

    private IEnumerable<Disagreement> Disagreements(Answer[] reference, bool[] referenceAgrees, StrategyRun[] runs)
    {
        for (int i = 0; i < _requests.Length; i++)
        {
            if (!referenceAgrees[i] || runs.Any(run => !run.Agrees[i]))
            {
                using Machine machine = Machine.Restore(_folder, _registers);
                yield return new(
                    _recorded[i],
                    [
                        .. runs.Select(run => new GivenAnswer(run.Name, run.Answer(i), run.Agrees[i])),
                        new("reference", reference[i], referenceAgrees[i]),
                    ],
                    machine.Reference.Translate(in _requests[i]));
            }
        }
    }
}
