using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>In what order a port begins and ends a batch.</summary>
public sealed class BatchOrderTests : IDisposable
{
    private readonly GuestPhysicalSpace _memory = new();

    public void Dispose() => _memory.Dispose();

    /// <summary>Whoever invalidates after the look at the queue must find the batch announced, or it would not wait for it.</summary>
    [Fact]
    public void ABatchIsAnnouncedBeforeItLooksForInvalidations()
    {
        var core = new Core(_memory);
        using var port = new TranslationPort(_memory, new FrontEnd(core), core);
        port.Translate(new TranslationRequest(new(1), 0, Access.Read));
        using (port.OpenBatch())
        {
        }

        Assert.Equal(["look, announced", "translate, announced", "report, left", "look, announced", "report, left"], core.Steps);
    }

    private sealed class Core(GuestPhysicalSpace memory) : TranslationCore
    {
        public List<string> Steps { get; } = [];

        public override PortStatistics Statistics => default;

        public void Note(string step) =>
            Steps.Add(step + (memory.Sections.HavePassed(memory.Sections.Advance()) ? ", left" : ", announced"));

        public override void CatchUp()
        {
            Note("look");
            Faulted = true;
        }

        public override void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results) => Note("translate");

        public override void Translate(
            in Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results) => Note("translate");
    }

    private sealed class FrontEnd(Core core) : IFrontEnd
    {
        public TranslationRegime Regime { get; } = new(true, AddressRange.Empty, AddressRange.Empty, false);

        public TranslationContext Resolve(in TranslationRequest request, ContextBuilder builder) => default;

        public void Report(in TranslationRequest request, in TranslationResult fault, in TranslationContext context)
        {
        }

        public void AfterFaults() => core.Note("report");
    }
}
