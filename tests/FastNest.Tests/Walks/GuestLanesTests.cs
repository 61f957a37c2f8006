using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Walks;

public sealed class GuestLanesTests : IDisposable
{
    private const uint Device = 9;
    private const uint Pasid = 1;
    private const ushort Domain = 5;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Top = 0x71_0000;
    private const ulong Data = 0x80_0000;
    private const ulong Large = 0x80;
    private const ulong Features = Mmio.BuiltEfr | Mmio.GTSup | Mmio.NXSup | Mmio.IASup | 1UL << 52 | 1UL << 53 | 1UL << 61;
    private const ulong NoMarks = 1UL << 48 | 1UL << 54;

    private readonly TestMachine _machine = new(Features);
    private readonly ulong _host;

    public GuestLanesTests()
    {
        _host = _machine.NewTable();
        for (ulong at = 0; at < TestMachine.RamSize; at += 0x20_0000)
        {
            _machine.SetEntry(_host, 3, at, 2, Bits.Pte(at));
        }

        for (ulong level = 0; level < 3; level++)
        {
            _machine.Poke(Top + (level << 12), (Top + ((level + 1) << 12)) | 0x67);
        }

        _machine.Poke(Top + 0x3000, Data | 0x67);
        _machine.Poke(Gcr3 + Pasid * 8, Top | 1);
        _machine.SetDte(Device, Bits.DteLow(_host, 3) | 1UL << 55 | (Gcr3 >> 12 & 7) << 58, Domain | (Gcr3 >> 15 & 0xFFFF) << 16);
        _machine.Start(Mmio.GTEn | NoMarks);
    }

    public static TheoryData<WalkStrategy> Strategies => AsScalar.Strategies;

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(Strategies))]
    public void ALargePagesContentIsNotTakenForATable(WalkStrategy strategy)
    {
        for (ulong at = 0; at < 0x1000; at += 8)
        {
            _machine.Poke(Data + at, 0x77_0067);
        }

        _machine.Poke(Top + 0x2008, Data | Large | 0x67);
        TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.OfPasid(Device, Pasid, 0x20_0000, 0x21_0008, 0x20_3000, 0x3F_FFF8));
        Assert.Equal((Data, 21), (results[0].Address, results[0].PageShift));
    }

    /// <summary>A gibibyte of the guest over pages of 2 MiB, over one page of the second stage, and with a reserved bit.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void AGibibyteIsWholeWhateverStandsUnderIt(WalkStrategy strategy)
    {
        const ulong page = 2UL << 30;
        _machine.SetEntry(_host, 3, page, 3, Bits.Pte(6UL << 30));
        _machine.Poke(Top + 0x1008, page | Large | 0x67);
        _machine.Poke(Top + 0x1010, Large | 0x67);
        _machine.Poke(Top + 0x1018, page | Large | 0x67 | 1 << 21);
        foreach (ulong start in new[] { 1UL << 30, 2UL << 30, 3UL << 30 })
        {
            ulong[] iovas = [start, start + 0x1008, start + 0x20_0000, start + 0x7F_F000, start + (1 << 30) - 8];
            TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.OfPasid(Device, Pasid, iovas));
            Assert.Contains(results, result => result.PageShift == (start >> 30 == 1 ? 30 : 21) || result.Reason == FaultReason.ReservedBit);
        }
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void AGibibyteGoesWithAnyPartOfIt(WalkStrategy strategy)
    {
        const ulong start = 1UL << 30;
        foreach (ulong output in new[] { 2UL << 30, 3UL << 30 })
        {
            _machine.SetEntry(_host, 3, output, 3, Bits.Pte(output));
        }

        TranslationRequest[] requests = AsScalar.OfPasid(Device, Pasid, start, start + 0x40_0000, start + 0x3000_0000);
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        var results = new TranslationResult[requests.Length];
        foreach (ulong output in new[] { 2UL << 30, 3UL << 30, 2UL << 30 })
        {
            _machine.Poke(Top + 0x1008, output | Large | 0x67);
            _machine.SendAndWait((3UL << 60 | (ulong)Domain << 32 | Pasid, (start + 0x2000_0000) | 4 | 2));
            for (int round = 0; round < 3; round++)
            {
                port.Translate(requests, results);
                Assert.Equal(requests.Select(request => request.Iova - start + output), results.Select(result => result.Address));
            }
        }
    }

    /// <summary>Read/write, user and no-execute of every level, for pages of every size.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void RightsOfEveryLevelCount(WalkStrategy strategy)
    {
        _machine.Poke(Top + 0x1008, Large | 0x67);
        _machine.Poke(Top + 0x2008, Data | Large | 0x67);
        ulong[] entries = [Top, Top + 0x1000, Top + 0x2000, Top + 0x3000, Top + 0x2008, Top + 0x1008];
        foreach (ulong entry in entries)
        {
            ulong whole = _machine.Peek(entry);
            foreach (ulong weaker in new[] { whole & ~2UL, whole & ~4UL, whole | 1UL << 63, whole & ~1UL })
            {
                _machine.Poke(entry, weaker);
                AsScalar.Check(_machine, strategy, AsScalar.OfPasid(Device, Pasid, 0, 0x20_0000, 0x20_1000, 1UL << 30, 1UL << 30 | 0x60_0000));
            }

            _machine.Poke(entry, whole);
        }
    }

    /// <summary>A guest may name any address: beyond the second stage's tables nothing is mapped, whatever stands at its lower bits.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void GuestPhysicalAddressesBeyondTheSecondStageLeadNowhere(WalkStrategy strategy)
    {
        const ulong beyond = 1UL << 39;
        _machine.Poke(0, Bits.Pde(_host, 2)); // a table where there is no root must not be one
        foreach ((ulong entry, ulong value) in new[]
        {
            (Top + 0x3000 + 8, (Data | beyond) + 0x67), (Top + 0x2008, (Data | beyond) + Large + 0x67), (Top + 0x2010, ((Top + 0x3000) | beyond) + 0x67),
        })
        {
            _machine.Poke(entry, value);
        }

        TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.OfPasid(Device, Pasid, 0x1000, 0x20_0000, 0x40_0000));
        Assert.All(results, result => Assert.Equal(FaultReason.AddressBeyondTable, result.Reason));
    }
}
