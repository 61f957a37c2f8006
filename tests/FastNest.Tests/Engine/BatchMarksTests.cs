using FastNest.Amd;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Whatever the strategy, nothing is granted past an entry of the second stage that is still to be marked.</summary>
public sealed class BatchMarksTests : IDisposable
{
    private const uint Device = 9;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Top = 0x80_0000;
    private const ulong Data = 0x81_0000;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong NoGuestMarks = 1UL << 48 | 1UL << 54;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures);
    private readonly ulong _host;

    public BatchMarksTests()
    {
        _host = _machine.NewTable();
        for (ulong level = 0; level < 3; level++)
        {
            _machine.Poke(Top + (level << 12), (Top + ((level + 1) << 12)) | 0x67);
        }

        for (ulong page = 0; page < 4; page++)
        {
            _machine.Poke(Top + 0x3000 + page * 8, (Data + (page << 12)) | 0x67);
        }

        _machine.Poke(Gcr3, Top | 1);
        _machine.SetDte(Device, Bits.DteLow(_host, 3) | 3UL << 7 | 1UL << 55 | (Gcr3 >> 12 & 7) << 58, 5 | (Gcr3 >> 15 & 0xFFFF) << 16);
        _machine.Start(Mmio.GTEn | 3UL << 46 | NoGuestMarks);
    }

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    public void Dispose() => _machine.Dispose();

    /// <summary>A large page that is good enough to read tables from is not yet good enough to write to.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ALargePageThatHoldsTablesAndDataIsDirtyOnceTheDataIsWritten(WalkStrategy strategy)
    {
        _machine.SetEntry(_host, 3, Top, 2, Bits.Pte(Top & ~0x1F_FFFFUL) | Accessed);
        ulong leaf = Leaf(2);
        MarkDirectories();
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        AskAll(port, Access.Read);
        Assert.Equal(0UL, _machine.Peek(leaf) & Dirty);
        AskAll(port, Access.Write);
        Assert.Equal(Dirty, _machine.Peek(leaf) & Dirty);
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void APageThatHoldsATableIsAccessedOnceTheTableIsRead(WalkStrategy strategy)
    {
        for (ulong page = 0; page < 32; page++)
        {
            _machine.Map(_host, 3, Top + (page << 12), (Top + (page << 12)) | Accessed | Dirty);
        }

        MarkDirectories();
        for (ulong level = 0; level < 4; level++)
        {
            ulong leaf = _machine.Map(_host, 3, Top + (level << 12), Top + (level << 12));
            using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
            AskAll(port, Access.Read);
            Assert.Equal(Accessed, _machine.Peek(leaf) & (Accessed | Dirty));
        }
    }

    private ulong Leaf(int level)
    {
        ulong table = _host;
        for (int at = 3; at > level; at--)
        {
            table = _machine.Peek(Bits.Slot(table, at, Top)) & 0xF_FFFF_FFFF_F000;
        }

        return Bits.Slot(table, level, Top);
    }

    private void MarkDirectories()
    {
        ulong slot = Bits.Slot(_host, 3, Top);
        _machine.Poke(slot, _machine.Peek(slot) | Accessed);
        ulong middle = Leaf(2);
        _machine.Poke(middle, _machine.Peek(middle) | Accessed);
    }

    private static void AskAll(TranslationPort port, Access access)
    {
        ulong[] iovas = [0, 0x1000, 0x2000, 0x3000, 0, 0x1000, 0x2000, 0x3000, 0];
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(Device), 0), iovas, access, results);
        Assert.Equal(iovas.Select(iova => Data + iova), results.Select(result => result.Address));
    }
}
