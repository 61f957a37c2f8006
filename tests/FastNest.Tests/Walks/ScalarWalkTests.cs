using FastNest.Caches;
using FastNest.Engine;
using FastNest.Formats;
using FastNest.Requests;
using FastNest.Tests.Machine;
using FastNest.Walks;
using Xunit;

namespace FastNest.Tests.Walks;

/// <summary>Walks of v1 tables by the host stage, without caches.</summary>
public sealed class ScalarWalkTests : IDisposable
{
    private readonly TestMachine _machine = new();

    public static TheoryData<int, int> LevelPairs
    {
        get
        {
            var pairs = new TheoryData<int, int>();
            for (int level = 2; level <= 6; level++)
            {
                for (int next = 1; next < level; next++)
                {
                    pairs.Add(level, next);
                }
            }

            return pairs;
        }
    }

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData(1, 0x1F_FABCUL)]
    [InlineData(2, 0x3FFF_FABCUL)]
    [InlineData(3, 0x7F_FFFF_FABCUL)]
    [InlineData(4, 0xFFFF_FFFF_FABCUL)]
    [InlineData(5, 0x01FF_FFFF_FFFF_FABCUL)]
    [InlineData(6, 0xFFFF_FFFF_FFFF_FABCUL)]
    [InlineData(3, 0x0000_0012_3456_7ABCUL)]
    [InlineData(6, 0x0000_0000_0000_1ABCUL)]
    public void EveryModeReachesItsPagesAndKeepsTheOffset(int mode, ulong iova)
    {
        ulong root = _machine.NewTable();
        _machine.Map(root, mode, iova, 0x000F_EDCB_A987_6000);
        Walked walk = Walk(root, mode, iova);
        Assert.Equal((FaultReason.None, 0x000F_EDCB_A987_6ABCUL, 12), (walk.Reason, walk.Address, walk.PageShift));
        Assert.Equal(Access.All, walk.Permissions);
        Assert.Equal(FaultReason.NotPresent, Walk(root, mode, iova ^ 0x1000).Reason);
    }

    [Theory]
    [InlineData(1, 21)]
    [InlineData(2, 30)]
    [InlineData(3, 39)]
    [InlineData(4, 48)]
    [InlineData(5, 57)]
    public void BitsAboveTheModeFaultBeforeAnythingIsRead(int mode, int reach)
    {
        for (int bit = reach; bit < 64; bit++)
        {
            Assert.Equal(FaultReason.AddressBeyondTable, Walk(TestMachine.Hole, mode, 1UL << bit).Reason);
        }

        Assert.Equal(FaultReason.TableUnreadable, Walk(TestMachine.Hole, mode, 1UL << (reach - 1)).Reason);
    }

    [Theory]
    [MemberData(nameof(LevelPairs))]
    public void SkippedBitsMustBeZero(int level, int next)
    {
        ulong root = _machine.NewTable();
        ulong table = _machine.NewTable();
        ulong low = 5UL << Bits.LevelShift(next);
        ulong high = 3UL << Bits.LevelShift(level);
        _machine.Poke(Bits.Slot(root, level, high), Bits.Pde(table, next));
        _machine.Poke(Bits.Slot(table, next, low), Bits.Pte(0));
        Assert.Equal(FaultReason.None, Walk(root, level, high | low).Reason);
        for (int bit = Bits.LevelShift(next + 1); bit < Bits.LevelShift(level); bit++)
        {
            Assert.Equal(FaultReason.SkippedBits, Walk(root, level, high | low | 1UL << bit).Reason);
        }

        // The neighbours of the skipped bits index tables as ever.
        Assert.Equal(FaultReason.NotPresent, Walk(root, level, high | 0x100UL << Bits.LevelShift(next)).Reason);
        Assert.Equal(FaultReason.NotPresent, Walk(root, level, 2UL << Bits.LevelShift(level) | low).Reason);
    }

    [Fact]
    public void SkippedBitsAreJudgedBeforeTheNextTableIsRead()
    {
        ulong root = _machine.NewTable();
        _machine.Poke(root, Bits.Pde(TestMachine.Hole, 1));
        Assert.Equal(FaultReason.SkippedBits, Walk(root, 3, 1UL << 21).Reason);
        Assert.Equal(FaultReason.TableUnreadable, Walk(root, 3, 0x1000).Reason);
    }

    [Fact]
    public void AnUnreadableTableGivesTheEntrysAddress()
    {
        ulong root = _machine.NewTable();
        ulong iova = 7UL << 30 | 6UL << 21 | 5UL << 12 | 0x123;
        _machine.SetEntry(root, 3, iova, 2, Bits.Pde(TestMachine.Hole, 1));
        Walked walk = Walk(root, 3, iova);
        Assert.Equal((FaultReason.TableUnreadable, TestMachine.Hole + 5 * 8), (walk.Reason, walk.Address));
        walk = Walk(0x000F_FFFF_FFFF_F000, 6, 1UL << 63 | 1UL << 57);
        Assert.Equal((FaultReason.TableUnreadable, 0x000F_FFFF_FFFF_F000UL + 65 * 8), (walk.Reason, walk.Address));
    }

    [Fact]
    public void ATableInAWindowIsUnreadable()
    {
        _machine.Memory.AddMmio(TestMachine.Hole, 0x1000, new Memory.RecordingWindow(0x1000));
        Assert.Equal(FaultReason.TableUnreadable, Walk(TestMachine.Hole, 1, 0).Reason);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void PermissionsAreTheAndOfEveryLevel(int weak)
    {
        foreach ((ulong rights, Access expected) in new[]
        {
            (Bits.IR, Access.Read | Access.Execute), (Bits.IW, Access.Write), (0UL, Access.None),
        })
        {
            ulong root = _machine.NewTable();
            ulong leaf = _machine.Map(root, 3, 0x1000, 0x5000);
            ulong middle = _machine.Peek(root) & 0xF_FFFF_FFFF_F000;
            ulong[] path = [root, middle, leaf];
            _machine.Poke(path[weak], (_machine.Peek(path[weak]) & ~(Bits.IR | Bits.IW)) | rights);
            Assert.Equal((FaultReason.None, expected), (Walk(root, 3, 0x1000).Reason, Walk(root, 3, 0x1000).Permissions));
        }
    }

    [Fact]
    public void PermissionsOfTwoLevelsMeet()
    {
        ulong root = _machine.NewTable();
        _machine.Map(root, 2, 0x1000, 0x5000, Bits.IR);
        _machine.Poke(root, (_machine.Peek(root) & ~(Bits.IR | Bits.IW)) | Bits.IW);
        Assert.Equal(Access.None, Walk(root, 2, 0x1000).Permissions);
    }

    /// <summary>Every size at every level, found through each of its replicated slots, with the right offset.</summary>
    [Fact]
    public void ASizedPageIsWholeThroughWhicheverSlotItIsHit()
    {
        ulong root = _machine.NewTable();
        for (int level = 1; level <= 5; level++)
        {
            int smallest = Bits.LevelShift(level);
            for (int shift = smallest + 1; shift < smallest + 9 && shift <= 52; shift++)
            {
                ulong page = 0x0005_5555_5555_5000UL & ~((1UL << shift) - 1);
                ulong iova = 1UL << 57 & ~((1UL << shift) - 1);
                for (ulong slot = 0; slot < 1UL << (shift - smallest); slot++)
                {
                    _machine.SetEntry(root, 6, iova + (slot << smallest), level, Bits.SizedPte(page, shift));
                }

                foreach (ulong offset in (ulong[])[0, 0x123, 1UL << smallest, (1UL << shift) - 1, 1UL << (shift - 1)])
                {
                    Walked walk = Walk(root, 6, iova + offset);
                    Assert.Equal((FaultReason.None, page + offset, shift), (walk.Reason, walk.Address, walk.PageShift));
                }
            }

            root = _machine.NewTable();
        }
    }

    private Walked Walk(ulong root, int levels, ulong iova)
    {
        var pages = new PageCache(0, 1);
        var host = new HostWalker<AmdV1>(_machine.Memory, pages, new WalkCache(0));
        var space = new HostSpace { Root = root, Levels = (byte)levels, Permissions = Access.All, Tag = 1 };
        return host.TryWalk(in space, iova, Access.Read, pages, out WalkLeaf leaf, out WalkFault fault)
            ? new(FaultReason.None, leaf.At(iova), leaf.Shift, leaf.Rights & Access.All)
            : new(fault.Reason, fault.Address, 0, Access.None);
    }

    private readonly record struct Walked(FaultReason Reason, ulong Address, int PageShift, Access Permissions);
}
