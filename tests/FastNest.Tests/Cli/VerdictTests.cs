using FastNest.Cli.Captures;
using FastNest.Cli.Commands;
using FastNest.Cli.Explanations;
using FastNest.Cli.Output;
using FastNest.Cli.Replays;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Cli;

/// <summary>What is told when engine and reference differ, which no capture makes them do.</summary>
public sealed class VerdictTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_engine_that_differs_from_the_reference_is_told(bool json)
    {
        Explanation explanation = Explanation.Of(
            CaptureFolder.Open(null), new TranslationRequest(new DeviceId(0x10), 0xFFFF_E010, Access.Read));
        Answer expected = explanation.Expected;
        Explanation differing = explanation with
        {
            Engine = [GivenAnswer.Judge("good", expected, expected), GivenAnswer.Judge("bad", expected with { Spa = expected.Spa + 1 }, expected)],
        };
        using StringWriter output = new();

        Assert.Equal(1, ExplainCommand.Show(new Terminal(output), differing, json));

        Assert.Contains(json ? "\"agrees\":false}" : "bad        0x7404011, read+write+execute within 4 KiB (differs)", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_part_of_an_answer_counts()
    {
        var answer = new Answer(0x1000, 12, Access.Read, false, default);
        Answer[] others =
        [
            answer with { Spa = null }, answer with { PageShift = 21 }, answer with { Permissions = Access.ReadWrite },
            answer with { IsMessage = true }, answer with { Event = new(1, 0) },
        ];

        Assert.True(GivenAnswer.Judge("same", answer, answer).Agrees);
        Assert.All(others, other => Assert.False(GivenAnswer.Judge("other", other, answer).Agrees));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(1, 0, 1)]
    [InlineData(0, 1, 1)]
    public void Engine_and_reference_must_both_agree(int disagreed, int byReference, int exitCode)
    {
        var report = new ReplayReport("name", 5, 0, 5 - disagreed, disagreed, new(5 - byReference, byReference), []);
        using StringWriter output = new();

        Assert.Equal(exitCode, ReplayCommand.Show(new Terminal(output), report, json: true));
    }
}
