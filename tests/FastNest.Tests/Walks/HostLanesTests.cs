using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Walks;

public sealed class HostLanesTests : IDisposable
{
    private const uint Device = 9;
    private const ulong Data = 0x80_0000;

    private readonly TestMachine _machine = new();
    private readonly ulong _root;

    public HostLanesTests()
    {
        _machine.Start();
        _root = _machine.NewTable();
    }

    public static TheoryData<WalkStrategy> Strategies => AsScalar.Strategies;

    public void Dispose() => _machine.Dispose();

    /// <summary>What stands in a large page is data, even where it could be entries.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ALargePagesContentIsNotTakenForATable(WalkStrategy strategy)
    {
        for (ulong at = 0; at < 0x1000; at += 8)
        {
            _machine.Poke(Data + at, Bits.Pte(0x77_0000));
        }

        _machine.SetEntry(_root, 3, 0x20_0000, 2, Bits.Pte(Data));
        _machine.SetDte(Device, Bits.DteLow(_root, 3));
        TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.Of(Device, 0x20_0000, 0x21_0008, 0x20_3000, 0x3F_FFF8));
        Assert.Equal(Data, results[0].Address);
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void RightsOfEveryLevelCount(WalkStrategy strategy)
    {
        for (int weak = 1; weak <= 4; weak++)
        {
            foreach (ulong rights in new[] { 0UL, Bits.IR, Bits.IW })
            {
                ulong root = Path(level => level == weak ? rights : Bits.IR | Bits.IW, out _);
                _machine.SetDte(Device, Bits.DteLow(root, 4));
                _machine.SendAndWait(Bits.InvalidateAll());
                AsScalar.Check(_machine, strategy, AsScalar.Of(Device, 0, 0x1000, 0x1_0000, 0x1F_F000, 0x40_0000, 0x8000_0000));
            }
        }
    }

    /// <summary>Bit 58 of a page, bit 59 of a directory.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ReservedBitsOfEveryLevelCount(WalkStrategy strategy)
    {
        for (int bad = 1; bad <= 4; bad++)
        {
            ulong root = Path(_ => Bits.IR | Bits.IW, out ulong[] entries);
            _machine.Poke(entries[bad], _machine.Peek(entries[bad]) | (bad == 1 ? 1UL << 58 : 1UL << 59));
            _machine.SetDte(Device, Bits.DteLow(root, 4));
            _machine.SendAndWait(Bits.InvalidateAll());
            TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.Of(Device, 0));
            Assert.All(results, result => Assert.Equal(FaultReason.ReservedBit, result.Reason));
        }
    }

    /// <summary>Sizes between those of levels 1, 2 and 3, and both ends of each.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void PagesOfOddSizesAreWhole(WalkStrategy strategy)
    {
        _machine.SetDte(Device, Bits.DteLow(_root, 5));
        foreach (int shift in new[] { 13, 14, 16, 20, 22, 23, 28, 29, 31, 35, 38, 40 })
        {
            ulong size = 1UL << shift;
            int level = (shift - 12) / 9 + 1;
            ulong[] iovas = [4 * size, 4 * size + size / 2, 4 * size + size - 8, 4 * size + (size / 4 | 0x1008) % size];
            Array.ForEach(iovas, iova => _machine.SetEntry(_root, 5, iova, level, Bits.SizedPte(2 * size, shift, shift % 2 == 0 ? Bits.IR : Bits.IW)));
            _machine.SendAndWait(Bits.InvalidateAll());
            TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.Of(Device, iovas));
            Assert.Contains(results, result => result.Succeeded && result.PageShift == shift);
            Array.ForEach(iovas, iova => _machine.SetEntry(_root, 5, iova, level, 0));
        }
    }

    /// <summary>Six levels reach further than the caches' keys.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void AddressesThatDifferAboveTheKeysAreKeptApart(WalkStrategy strategy)
    {
        _machine.SetDte(Device, Bits.DteLow(_root, 6));
        ulong[] iovas = [0x5000, 1UL << 57 | 0x5000, 1UL << 58 | 0x5000, 1UL << 63 | 0x5000, 1UL << 56 | 0x5000];
        for (int i = 0; i < iovas.Length; i++)
        {
            _machine.Map(_root, 6, iovas[i], 0x10_0000 + ((ulong)i << 12));
        }

        TranslationResult[] results = AsScalar.Check(_machine, strategy, AsScalar.Of(Device, iovas));
        Assert.All(results, result => Assert.True(result.Succeeded));
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void RequestsForNoAccessAreAnsweredAsOneByOne(WalkStrategy strategy)
    {
        _machine.Map(_root, 2, 0x5000, 0x10_0000);
        _machine.SetDte(Device, Bits.DteLow(_root, 2));
        AsScalar.Check(
            _machine,
            strategy,
            [.. Enumerable.Range(0, 20).Select(i => new TranslationRequest(new(Device), (ulong)i << 12, Access.None))]);
    }

    /// <summary>Four levels, of which the second way at each skips to level 1; the address 0 is mapped by the first.</summary>
    private ulong Path(Func<int, ulong> rights, out ulong[] entries)
    {
        ulong[] tables = [0, .. Enumerable.Range(0, 4).Select(_ => _machine.NewTable())];
        entries = [.. tables];
        for (int level = 4; level > 1; level--)
        {
            _machine.Poke(tables[level], Bits.Pde(tables[level - 1], level - 1, rights(level)));
            _machine.Poke(tables[level] + 16, Bits.Pde(tables[1], 1, Bits.IR | Bits.IW));
        }

        _machine.Poke(tables[1], Bits.Pte(0x10_0000, rights(1)));
        _machine.Poke(tables[1] + 8, Bits.Pte(0x20_0000));
        for (ulong part = 16; part < 32; part++)
        {
            _machine.Poke(tables[1] + part * 8, Bits.SizedPte(0x30_0000, 16, rights(1)));
        }

        return tables[4];
    }
}
