using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Which command drops what is cached of a PASID's tables, while no page is cached in pieces.</summary>
public sealed class NestedInvalidationTests : IDisposable
{
    private const uint Device = 0x20;
    private const uint Pasid = 1;
    private const uint HighPasid = 0xA_0001;
    private const ushort Domain = 5;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Root = 0x71_0000;
    private const ulong Everything = 0x7FFF_FFFF_FFFF_F000;
    private const ulong Pages = 3UL << 60 | (ulong)Domain << 32;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures);
    private readonly ulong _host;

    public NestedInvalidationTests()
    {
        _host = _machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            _machine.SetEntry(_host, 3, page << 21, 2, Bits.Pte(page << 21));
        }

        _machine.SetEntry(_host, 3, 0x1000_0000, 2, Bits.Pte(0x1000_0000));
        _machine.Poke(Gcr3 + Pasid * 8, Root | 1);
        for (ulong level = 0; level < 3; level++)
        {
            _machine.Poke(Root + level * 0x1000, (Root + (level + 1) * 0x1000) | 0x67);
        }

        foreach (ulong page in new ulong[] { 5, 6 })
        {
            _machine.Poke(Root + 0x3000 + page * 8, (0x1000_0000 + page * 0x1000) | 0x67);
            _machine.Poke(Root + 0x4000 + page * 8, (0x1001_0000 + page * 0x1000) | 0x67);
        }

        _machine.SetDte(Device, Bits.DteLow(_host, 3) | Bits.GuestLow(Gcr3), Domain | Bits.GuestMiddle(Gcr3));
        _machine.Start(Mmio.GTEn);
        Assert.Equal(0x1000_5000UL, Ask(0x5000)); // 6000h is known by its table alone
    }

    public static TheoryData<ulong, ulong> OfThePasid => new()
    {
        { Pages | Pasid, 0x6000 | 6 },
        { Pages | Pasid, 0x4000 | 0x1000 | 7 }, // 16 KiB from 4000h
        { Pages | Pasid, Everything | 7 },
        { Pages, Everything | 3 },
        { 8UL << 60, 0 },
    };

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(OfThePasid))]
    public void AnotherTableInTheGuestsDirectoryIsUsed(ulong low, ulong high)
    {
        _machine.Poke(Root + 0x2000, (Root + 0x4000) | 0x67);
        _machine.SendAndWait((low, high));
        Assert.Equal(0x1001_6000UL, Ask(0x6000));
    }

    /// <summary>S=1 with GN=1: every page of the range goes, not the first alone.</summary>
    [Fact]
    public void EveryPageOfAPasidsRangeIsReadAgain()
    {
        Assert.Equal(0x1000_6000UL, Ask(0x6000));
        foreach (ulong page in new ulong[] { 5, 6 })
        {
            _machine.Poke(Root + 0x3000 + page * 8, (0x1001_0000 + page * 0x1000) | 0x67);
        }

        _machine.SendAndWait((Pages | Pasid, 0x4000 | 0x1000 | 7)); // 16 KiB from 4000h
        Assert.Equal((0x1001_5000UL, 0x1001_6000UL), (Ask(0x5000), Ask(0x6000)));
    }

    [Theory]
    [InlineData(Pages | Pasid, Everything | 7)]
    [InlineData(Pages, Everything | 3)]
    [InlineData(8UL << 60, 0UL)]
    public void AnotherRootOfThePasidIsUsed(ulong low, ulong high)
    {
        _machine.Poke(Root + 0x5000, (Root + 0x6000) | 0x67);
        _machine.Poke(Root + 0x6000, (Root + 0x7000) | 0x67);
        _machine.Poke(Root + 0x7000, (Root + 0x4000) | 0x67);
        _machine.Poke(Gcr3 + Pasid * 8, (Root + 0x5000) | 1);
        _machine.SendAndWait((low, high));
        Assert.Equal((0x1001_5000UL, 0x1001_6000UL), (Ask(0x5000), Ask(0x6000)));
    }

    /// <summary>GN=1 with S=1 names a range of the PASID's own addresses, not its first page.</summary>
    [Fact]
    public void EveryPageOfARangeOfThePasidGoes()
    {
        Assert.Equal(0x1000_6000UL, Ask(0x6000));
        _machine.Poke(Root + 0x3000 + 5 * 8, 0x1001_5067);
        _machine.Poke(Root + 0x3000 + 6 * 8, 0x1001_6067);
        _machine.SendAndWait((Pages | Pasid, 0x4000 | 0x1000 | 7)); // 16 KiB from 4000h
        Assert.Equal((0x1001_5000UL, 0x1001_6000UL), (Ask(0x5000), Ask(0x6000)));
    }

    /// <summary>A page of the second stage is named by its guest physical address, wherever guests have it.</summary>
    [Theory]
    [InlineData(Pages, 0x1000_5000UL | 2)]
    [InlineData(Pages, 0x100F_F000UL | 3)] // its 2 MiB
    [InlineData(Pages, Everything | 3)]
    [InlineData(8UL << 60, 0UL)]
    public void AnotherPageOfTheSecondStageIsUsed(ulong low, ulong high)
    {
        _machine.SetEntry(_host, 3, 0x1000_0000, 2, Bits.Pte(0x2000_0000));
        _machine.SendAndWait((low, high));
        Assert.Equal((0x2000_5000UL, 0x2000_6000UL), (Ask(0x5000), Ask(0x6000)));
    }

    /// <summary>All twenty bits of the PASID count.</summary>
    [Theory]
    [InlineData(Pages | HighPasid, 0x5000UL | 6)]
    [InlineData(Pages | HighPasid, Everything | 7)]
    public void APasidAbove16BitsIsNamed(ulong low, ulong high)
    {
        ulong gcr3 = _machine.NewTable();
        _machine.Poke(gcr3 + (HighPasid >> 18) * 8, (gcr3 + 0x1000) | 1);
        _machine.Poke(_machine.NewTable() + (HighPasid >> 9 & 511) * 8, (gcr3 + 0x2000) | 1);
        _machine.Poke(_machine.NewTable() + (HighPasid & 511) * 8, Root | 1);
        ulong host = Bits.DteLow(_host, 3) | 1UL << 55 | 2UL << 56 | (gcr3 >> 12 & 7) << 58;
        _machine.SetDte(Device, host, Domain | (gcr3 >> 15 & 0xFFFF) << 16);
        _machine.SendAndWait(Bits.InvalidateAll());
        Assert.Equal(0x1000_5000UL, Ask(0x5000, HighPasid));
        _machine.Poke(Root + 0x3000 + 5 * 8, 0x1001_5067);
        _machine.SendAndWait((low, high));
        Assert.Equal(0x1001_5000UL, Ask(0x5000, HighPasid));
    }

    private ulong Ask(ulong iova, uint pasid = Pasid)
    {
        TranslationResult result = _machine.Port.Translate(new TranslationRequest(new(Device), pasid, iova, Access.Read));
        Assert.True(result.Succeeded);
        return result.Address;
    }
}
