using FastNest.Caches;
using FastNest.Engine;
using FastNest.Lanes;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>What a requester takes along survives being packed, one by one and side by side.</summary>
public sealed class LaneBoundTests
{
    [Fact]
    public void AllThatWasPackedComesOutAgain()
    {
        var dice = new Dice(4);
        for (int round = 0; round < 200; round++)
        {
            ulong needs = (ulong)dice.Below(16);
            LaneContext context = new()
            {
                Tag = dice.Word() << DirectCache.TagShift,
                HostTag = dice.Word() << DirectCache.TagShift,
                Answers = (dice.Word() & LaneAnswers.DomainMask) | LaneAnswers.Shifts | (uint)dice.Below(16),
            };
            ulong bound = LaneBound.Of(needs, in context);
            Assert.Equal(
                (context.Tag, context.HostTag, needs, context.Answers),
                (LaneBound.Tag(bound), LaneBound.SecondTag(bound), LaneBound.Need(bound), LaneBound.Answer(bound)));
            PortableLanes lanes = PortableLanes.All(bound);
            Assert.Equal(
                (context.Tag, context.HostTag, needs, context.Answers),
                (First(LaneBound.Tags(lanes)), First(LaneBound.SecondTags(lanes)), First(LaneBound.Needs(lanes)), First(LaneBound.Answers(lanes))));
        }
    }

    private static ulong First(PortableLanes lanes)
    {
        var values = new ulong[4];
        PortableLanes.Store(lanes, ref values[0], 0);
        return values[0];
    }
}
