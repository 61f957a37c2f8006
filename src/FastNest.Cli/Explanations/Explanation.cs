using FastNest.Cli.Captures;
using FastNest.Cli.Replays;
using FastNest.Cli.Strategies;
using FastNest.Engine;
using FastNest.Reference;
using FastNest.Requests;

namespace FastNest.Cli.Explanations;

/// <summary>How the reference comes to its answer, and what the engine answers.</summary>
internal sealed record Explanation(
    string Capture, TranslationRequest Request, ReferenceAnswer Reference, IReadOnlyList<GivenAnswer> Engine)
{
    public Answer Expected => Answer.Of(Reference);

    public bool AllAgree => Engine.All(given => given.Agrees);

    public static Explanation Of(CaptureFolder folder, TranslationRequest request)
    {
        RegisterSnapshot registers = folder.Registers();
        using Machine machine = Machine.Restore(folder, registers);
        ReferenceAnswer reference = machine.Reference.Translate(in request);
        var expected = Answer.Of(reference);
        List<GivenAnswer> engine = [];
        foreach (Strategy strategy in Strategy.All)
        {
            using TranslationPort port = machine.Iommu.OpenPort(strategy.Caches, strategy.Walks);
            TranslationResult result = port.Translate(in request);
            engine.Add(GivenAnswer.Judge(strategy.Name, Answer.Of(in request, in result), expected));
        }

        return new(folder.Name, request, reference, engine);
    }
}
