using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

public class HostWalkTests
{
    private static ulong Table(int level) => Rig.HostRoot + (ulong)level * 0x1_0000;

    /// <summary>A chain of tables, index 0 all the way, down to a leaf that stands at <paramref name="level"/>.</summary>
    private static Rig Chain(int mode, int level, ulong leaf, ulong permissions = Rig.IRIW, ulong more = 0)
    {
        Rig rig = new Rig().HostDte(mode, permissions, more);
        ulong table = Rig.HostRoot;
        for (int l = mode; l > level; l--)
        {
            rig.Put(table, 0, Rig.Entry(Table(l - 1), l - 1));
            table = Table(l - 1);
        }

        return rig.Put(table, 0, leaf);
    }

    [Fact]
    public void EveryPageSizeAtEveryLevel()
    {
        for (int level = 1; level <= 6; level++)
        {
            for (int ones = 0; ones <= 40; ones++)
            {
                int shift = 13 + ones;
                ulong field = (1UL << ones) - 1 << 12;
                ulong page = ones < 39 ? 1UL << 51 : 0;
                ReferenceAnswer answer = Chain(6, level, Rig.Entry(page | field, 7)).Ask(0x765);
                int smallest = 12 + 9 * (level - 1) + 1, largest = Math.Min(12 + 9 * level - 1, 52);
                bool legal = level < 6 && shift >= smallest && shift <= largest;
                Assert.Equal(legal ? (page | 0x765, shift, "none") : ((ulong?)null, 0, "PR"), (answer.OutputAddress, answer.PageShift, Rig.Flags(answer.Event)));
            }
        }
    }

    [Theory] // level of a leaf with NextLevel=0
    [InlineData(1, 12)]
    [InlineData(2, 21)]
    [InlineData(3, 30)]
    [InlineData(4, 39)]
    [InlineData(5, 48)]
    public void DefaultPageSizesIgnoreLowAddressBits(int level, int shift)
    {
        ulong offset = (1UL << shift) - 1;
        ReferenceAnswer answer = Chain(6, level, Rig.Entry(0x000F_FFFF_FFFF_F000, 0)).Ask(offset, Access.Write);
        Assert.Equal((0x000F_FFFF_FFFF_FFFFUL, shift), (answer.OutputAddress, answer.PageShift));
        Assert.Equal(6 - level + 2, answer.Steps.Count);
    }

    [Theory]
    [InlineData(1, 21)]
    [InlineData(2, 30)]
    [InlineData(3, 39)]
    [InlineData(4, 48)]
    [InlineData(5, 57)]
    public void AddressBeyondTheTableIsNotPresent(int mode, int bits)
    {
        Rig rig = Chain(mode, 1, Rig.Entry(0x1000, 0));
        foreach (int bit in Enumerable.Range(bits, 64 - bits))
        {
            ReferenceAnswer answer = rig.Ask(1UL << bit, Access.Write);
            Assert.Equal(("RW", 1UL << bit, (ushort)0x77), (Rig.Flags(answer.Event), answer.Event!.Address, answer.Event.Domain));
            Assert.Single(answer.Steps);
        }
    }

    [Fact]
    public void SixLevelsReachEveryAddress()
    {
        Rig rig = new Rig().HostDte(6).Put(Rig.HostRoot, 127, Rig.Entry(Table(5), 5)).Put(Table(5), 511, Rig.Entry(1UL << 48, 0));
        Assert.Equal(0x1_FFFF_FFFF_FFFFUL, rig.Ask(ulong.MaxValue).OutputAddress);
    }

    [Theory] // level, entry, flags of a write
    [InlineData(3, 0UL, "RW")]
    [InlineData(3, ~1UL, "RW")]
    [InlineData(3, Rig.Present | 3UL << 9, "PR RW")]
    [InlineData(3, Rig.Present | 4UL << 9, "PR RW")]
    [InlineData(3, Rig.Present | 6UL << 9, "PR RW")]
    [InlineData(1, Rig.Present | 1UL << 9, "PR RW")]
    [InlineData(6, Rig.Present, "PR RW")]
    [InlineData(6, Rig.Present | 7UL << 9, "PR RW")]
    [InlineData(3, Rig.Present | 1UL << 52, "PR RW RZ")]
    [InlineData(3, Rig.Present | 1UL << 58, "PR RW RZ")]
    [InlineData(3, Rig.Present | 7UL << 9 | 1UL << 58, "PR RW RZ")] // before the size
    [InlineData(6, Rig.Present | 1UL << 52, "PR RW RZ")]            // before the level
    [InlineData(3, Rig.Present | 5UL << 9 | 1UL << 59, "PR RW RZ")]
    [InlineData(3, Rig.Present | 2UL << 9 | 1UL << 60, "PR RW RZ")]
    [InlineData(2, Rig.Present | 7UL << 9 | 0x000F_FFFF_FFFF_F000, "PR RW")]
    [InlineData(2, Rig.Present, "PR RW PE")]
    [InlineData(2, Rig.Present | Rig.IW | 3UL << 59 | 0x1FEUL | 1UL << 63, "none")] // U, FC and what is ignored
    public void EntryFaults(int level, ulong entry, string flags) =>
        Assert.Equal(flags, Rig.Flags(Chain(6, level, entry).Ask(0x100, Access.Write).Event));

    [Theory] // a level-4 entry that points to a level-1 table skips levels 3 and 2
    [InlineData(0x1FF_FFFUL & 0xF_F000, "none")]
    [InlineData(1UL << 21, "PR")]
    [InlineData(1UL << 38, "PR")]
    [InlineData(1UL << 39, "")]
    public void SkippedLevelsMustBeZero(ulong iova, string flags)
    {
        Rig rig = new Rig().HostDte(4).Put(Rig.HostRoot, 0, Rig.Entry(Table(1), 1));
        for (ulong i = 0; i < 512; i++)
            rig.Put(Table(1), i, Rig.Entry(0x7000_0000, 0));
        Assert.Equal(flags, Rig.Flags(rig.Ask(iova).Event));
    }

    [Fact]
    public void SkippedBitsAreJudgedBeforeTheNextTableIsRead()
    {
        Rig rig = new Rig().HostDte(4).Put(Rig.HostRoot, 0, Rig.Entry(0x7FFF_0000, 1));
        Assert.Equal(ReferenceEventCode.IoPageFault, rig.Ask(1UL << 30).Event!.Code);
        Assert.Equal(ReferenceEventCode.PageTableHardwareError, rig.Ask(0).Event!.Code);
    }

    [Fact]
    public void PermissionsAreAndedOverDteAndEveryEntry()
    {
        ulong[] sets = [0, Rig.IR, Rig.IW, Rig.IRIW];
        foreach (ulong dte in sets)
            foreach (ulong directory in sets)
                foreach (ulong leaf in sets)
                {
                    Rig rig = new Rig().HostDte(2, dte)
                        .Put(Rig.HostRoot, 0, Rig.Present | 1 << 9 | directory | Table(1))
                        .Put(Table(1), 0, Rig.Present | leaf | 0x9000);
                    ulong both = dte & directory & leaf;
                    Access granted = ((both & Rig.IR) != 0 ? Access.Read | Access.Execute : 0) | ((both & Rig.IW) != 0 ? Access.Write : 0);
                    foreach (Access access in new[] { Access.None, Access.Read, Access.Write, Access.Execute, Access.ReadWrite })
                    {
                        ReferenceAnswer answer = rig.Ask(0x123, access);
                        bool allowed = (access & ~granted) == 0;
                        Assert.Equal(allowed ? 0x9123UL : null, answer.OutputAddress);
                        Assert.Equal(allowed ? granted : Access.None, answer.Permissions);
                        string nx = (access & Access.Execute) != 0 ? "NX " : "", rw = (access & Access.Write) != 0 ? "RW " : "";
                        Assert.Equal(allowed ? "none" : $"{nx}PR {rw}PE", Rig.Flags(answer.Event));
                    }
                }
    }

    [Fact]
    public void AFaultFurtherDownWinsOverPermission()
    {
        Rig rig = new Rig().HostDte(2, 0).Put(Rig.HostRoot, 0, Rig.Present | 1 << 9 | Table(1)).Put(Table(1), 0, 0);
        Assert.Equal("RW", Rig.Flags(rig.Ask(0, Access.Write).Event));
    }

    [Fact]
    public void MissingTableMemoryIsAHardwareError()
    {
        ReferenceAnswer answer = new Rig().HostDte(2).Put(Rig.HostRoot, 3, Rig.Entry(0x6000_0000, 1)).Ask(3UL << 21 | 5 << 12, Access.Write);
        Assert.Equal(new ReferenceEvent(4UL << 60 | 1UL << 57 | 1UL << 53 | 0x77UL << 32 | 0x310, 0x6000_0028), answer.Event);
        Assert.Equal("host L1 entry at 0x60000028: memory does not exist", answer.Verdict);
    }

    [Theory] // DTE.HAD, Control.HADUpdate, EFR bits taken away, access, bits in directory and leaf
    [InlineData(3UL, 3UL, 0UL, Access.Write, 0x20UL, 0x60UL)]
    [InlineData(3UL, 3UL, 0UL, Access.Read, 0x20UL, 0x20UL)]
    [InlineData(1UL, 3UL, 0UL, Access.Write, 0x20UL, 0x20UL)]
    [InlineData(3UL, 1UL, 0UL, Access.Write, 0x20UL, 0x20UL)]
    [InlineData(0UL, 3UL, 0UL, Access.Write, 0UL, 0UL)]
    [InlineData(3UL, 0UL, 0UL, Access.Write, 0UL, 0UL)]
    [InlineData(3UL, 2UL, 0UL, Access.Write, 0UL, 0UL)] // reading 33
    [InlineData(1UL, 1UL, 0UL, Access.Write, 0x20UL, 0x20UL)]
    [InlineData(3UL, 3UL, 1UL << 52, Access.Write, 0x20UL, 0x20UL)]
    [InlineData(3UL, 3UL, 1UL << 49, Access.Write, 0UL, 0UL)]
    public void AccessedAndDirty(ulong had, ulong update, ulong without, Access access, ulong directory, ulong leaf)
    {
        Rig rig = new(Rig.Everything & ~without, control: Rig.On | update << 46);
        rig.HostDte(2, more: had << 7).Put(Rig.HostRoot, 0, Rig.Entry(Table(1), 1)).Put(Table(1), 0, Rig.Entry(0x9000, 0));
        List<ReferenceUpdate> expected = [];
        if (directory != 0)
            expected.Add(new(Rig.HostRoot, directory, ReferenceStage.Host));
        if (leaf != 0)
            expected.Add(new(Table(1), leaf, ReferenceStage.Host));
        Assert.Equal(expected, rig.Ask(0x40, access).Updates);
        Assert.Equal(expected, rig.Send(0x40, access).Updates); // asking changed nothing
        rig.Memory.TryRead64(Table(1), out ulong stored);
        Assert.Equal(Rig.Entry(0x9000, 0) | leaf, stored);
        Assert.Empty(rig.Ask(0x40, access).Updates);
    }

    [Fact]
    public void StepsTellTheWholeWalk()
    {
        ReferenceAnswer answer = new Rig().HostDte(2, Rig.IRIW)
            .Put(Rig.HostRoot, 0, Rig.Present | Rig.IR | 1 << 9 | Table(1))
            .Put(Table(1), 0, 0).Ask(0x123);
        Assert.Equal(["DTE", "host L2", "host L1"], answer.Steps.Select(s => s.Name));
        Assert.Equal([Rig.DeviceTable + 0x310 * 32, Rig.HostRoot, Table(1)], answer.Steps.Select(s => s.Spa));
        Assert.Equal([4, 1, 1], answer.Steps.Select(s => s.Raw.Count));
        Assert.Equal(Access.Read | Access.Execute, answer.Steps[1].Permissions);
        Assert.Contains(new ReferenceField("NextLevel", 1), answer.Steps[1].Fields);
        Assert.Contains(new ReferenceField("HostPageTableRoot", Rig.HostRoot), answer.Steps[0].Fields);
        Assert.Contains(new ReferenceField("DomainID", 0x77), answer.Steps[0].Fields);
        Assert.Equal($"host L1 entry at 0x{Table(1):x}: PR=0, not present", answer.Verdict);
    }
}
