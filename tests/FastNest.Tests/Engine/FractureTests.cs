using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public class FractureTests
{
    private const uint Device = 0x20;
    private const uint Pasid = 1;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Root = 0x71_0000;

    /// <summary>A guest's 2 MiB page over the host's 4 KiB pages is cached in pieces: an invalidation of one takes all.</summary>
    [Fact]
    public void APageThatIsCachedInPiecesGoesAsAWhole()
    {
        using var machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
        ulong host = machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            machine.SetEntry(host, 3, page << 21, 2, Bits.Pte(page << 21));
        }

        foreach (ulong page in new ulong[] { 0x1000_0000, 0x1000_1000, 0x2000_0000, 0x2000_1000 })
        {
            machine.Map(host, 3, page, page);
        }

        machine.Poke(Gcr3 + Pasid * 8, Root | 1);
        machine.Poke(Root, (Root + 0x1000) | 0x67);
        machine.Poke(Root + 0x1000, (Root + 0x2000) | 0x67);
        machine.Poke(Root + 0x2000, 0x1000_0000 | 0xE7);
        machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), 5 | Bits.GuestMiddle(Gcr3));
        machine.Start(1UL << 16 | 1UL << 58);
        Assert.Equal((0x1000_0000UL, 12), Ask(0));
        Assert.Equal((0x1000_1000UL, 12), Ask(0x1000));
        machine.Poke(Root + 0x2000, 0x2000_0000 | 0xE7);
        machine.SendAndWait((3UL << 60 | 5UL << 32 | Pasid, 6));
        Assert.Equal((0x2000_1000UL, 12), Ask(0x1000));

        (ulong, int) Ask(ulong iova)
        {
            TranslationResult result = machine.Port.Translate(new TranslationRequest(new(Device), Pasid, iova, Access.Read));
            return (result.Address, result.PageShift);
        }
    }
}
