using FastNest.Amd.Pprs;
using FastNest.Reference;
using FastNest.Requests;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>Page requests of random machines (readings 80 to 85): log, events and answers are the reference's.</summary>
public sealed class PageRequestProperties
{
    private const ulong PprRing = 0x23_0000;
    private const ulong PprIntEn = 1 << 14;
    private const ulong PprEn = 1 << 15;
    private const ulong AutoRspEn = 1UL << 39;
    private const ulong AutoRspAon = 1UL << 42;
    private const ulong AutoRspSup = 1UL << 41;
    private const ulong AutoResponse = 0x2080;
    private const ulong PprOverflow = 1 << 5;
    private const ulong PprInt = 1 << 6;

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 100)]
    public void TheLogTheEventsAndTheAnswersAreTheReferences(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        Run(seed.Value, []);
    }

    [Fact]
    public void RequestsEndInEveryWay()
    {
        var outcomes = new Dictionary<ReferencePageOutcome, int>();
        for (int seed = 0; seed < 30; seed++)
        {
            Run(seed, outcomes);
        }

        Assert.All(Enum.GetValues<ReferencePageOutcome>(), outcome => Assert.True(outcomes.GetValueOrDefault(outcome) > 100, string.Join(", ", outcomes)));
    }

    private static void Run(int seed, Dictionary<ReferencePageOutcome, int> outcomes)
    {
        var dice = new Dice(seed);
        using var machine = new RandomTables(dice, consistent: true, offered: dice.OneIn(10) ? 0 : Mmio.PprSup | AutoRspSup);
        Twins twins = machine.Twins;
        twins.Add(PprRing, 1);
        twins.Write(Mmio.PprBase, PprRing | 8UL << 56);
        ulong usual = twins.Engine.Read(Mmio.Control, 8) | Mmio.PprLogEn | PprIntEn | PprEn;
        twins.Write(Mmio.Control, usual);
        ulong tail = 0;
        for (int i = 0; i < 600; i++)
        {
            switch (dice.Below(80))
            {
                case 0:
                    twins.Write(Mmio.Control, usual ^ dice.Of(Mmio.IommuEn, Mmio.PprLogEn, PprIntEn, PprEn, AutoRspEn, AutoRspEn | AutoRspAon, AutoRspEn | Mmio.PprLogEn));
                    break;
                case 1 or 2:
                    twins.Write(Mmio.Control, usual);
                    break;
                case 3:
                    twins.Write(Mmio.PprHead, 4, (ulong)dice.Below(256) * 16);
                    break;
                case 4:
                    twins.Write(Mmio.Status, dice.Of(PprOverflow, PprInt, PprOverflow | PprInt));
                    break;
                case 5:
                    twins.Write(AutoResponse, dice.Field(7, 0));
                    break;
                case 6:
                    Complete(twins, dice, ref tail);
                    break;
                default:
                    ReferencePageOutcome outcome = Request(twins, machine.Request(), dice);
                    outcomes[outcome] = outcomes.GetValueOrDefault(outcome) + 1;
                    break;
            }

            twins.AssertSameInterrupts($"step {i}");
        }

        twins.AssertSameResponses("at the end");
        twins.AssertSameRegisters("at the end", Twins.AllRegisters);
        twins.AssertSameMemory("at the end");
    }

    private static ReferencePageOutcome Request(Twins twins, TranslationRequest like, Dice dice)
    {
        uint? pasid = like.HasPasid ? like.Pasid : null;
        var request = new PageRequest(like.Device, pasid, like.Iova, like.Access, dice.Below(512), dice.OneIn(2), like.Privileged || dice.OneIn(4));
        twins.Engine.RequestPage(in request);
        return twins.Reference.RequestPage(new(like.Device, pasid, like.Iova, like.Access, request.Privileged, request.Group, request.Last));
    }

    /// <summary>COMPLETE_PPR_REQUEST, rarely with any bit wrong.</summary>
    private static void Complete(Twins twins, Dice dice, ref ulong tail)
    {
        (ulong low, ulong high) = Bits.Command(
            7, dice.Field(15, 0) | dice.Field(51, 32), dice.Field(40, 32) | dice.Of(0UL, 1UL, 15UL) << 44 | (dice.OneIn(2) ? 4UL : 0));
        twins.Store(RandomTables.CommandRing + tail, low ^ (dice.OneIn(30) ? dice.Bit(0, 63) : 0));
        twins.Store(RandomTables.CommandRing + tail + 8, high ^ (dice.OneIn(30) ? dice.Bit(0, 63) : 0));
        tail = (tail + 16) & 0xFFF;
        twins.Write(Mmio.CommandTail, 4, tail);
    }
}
