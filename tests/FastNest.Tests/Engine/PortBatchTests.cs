using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class PortBatchTests : IDisposable
{
    private const uint Device = 0x10;
    private const uint Passing = 0x11;
    private const ulong Page = 0x80_0000;

    private readonly TestMachine _machine = new();
    private readonly Requester _requester = new(new(Device));
    private readonly ulong _root;

    public PortBatchTests()
    {
        _root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(_root, 3), 5);
        _machine.Map(_root, 3, 0x5000, Page);
        _machine.Start();
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void TranslationsReachMemoryInPlace()
    {
        using PortBatch batch = _machine.Port.OpenBatch();
        TranslationResult result = batch.TranslateToHost(_requester.Request(0x5FF8, Access.Write), out Span<byte> memory);
        Assert.Equal((Page + 0xFF8, 8), (result.Address, memory.Length));
        memory.Fill(0xA5);
        Assert.Equal(0xA5A5_A5A5_A5A5_A5A5, _machine.Peek(Page + 0xFF8));
    }

    [Fact]
    public void RefusalsMessagesAndHolesReachNothing()
    {
        _machine.Map(_root, 3, 0x7000, TestMachine.Hole);
        using PortBatch batch = _machine.Port.OpenBatch();
        foreach (ulong iova in new ulong[] { 0x6000, 0x7000, 0xFEE0_0000 })
        {
            batch.TranslateToHost(_requester.Request(iova, Access.Write), out Span<byte> memory);
            Assert.True(memory.IsEmpty);
        }
    }

    [Fact]
    public void AnInvalidationWaitsForTheOpenBatch()
    {
        using var mutator = new Worker(() => _machine.SendAndWait(Bits.InvalidatePages(5, 0x5000, sized: false)));
        using (PortBatch batch = _machine.Port.OpenBatch())
        {
            Assert.True(batch.Translate(_requester.Request(0x5000, Access.Read)).Succeeded);
            mutator.Start();
            Assert.False(mutator.Join(100));
        }

        Assert.True(mutator.Join(10_000));
    }

    [Fact]
    public void ARegionRemovedMeanwhileStaysUntilTheBatchEnds()
    {
        bool released = false;
        MemoryRegion region = _machine.Memory.AddOwned(0x7000_0000, 4096);
        Assert.True(region.TryPin(out MemoryPin? pin));
        _machine.Map(_root, 3, 0x8000, 0x7000_0000);
        using var remover = new Worker(() =>
        {
            _machine.Memory.Remove(region);
            released = true;
        });
        using (PortBatch batch = _machine.Port.OpenBatch())
        {
            batch.TranslateToHost(_requester.Request(0x8000, Access.Write), out Span<byte> memory);
            remover.Start();
            Thread.Sleep(50);
            memory[0] = 1;
            Assert.False(released);
        }

        remover.Join();
        pin!.Dispose();
    }

    [Fact]
    public void ARangeComesInItsFewestRuns()
    {
        for (ulong i = 0; i < 4; i++)
        {
            _machine.Map(_root, 3, 0x10_0000 + i * 0x1000, Page + i * 0x1000);
        }

        _machine.Map(_root, 3, 0x10_4000, Page + 0x10_0000);
        var runs = new TranslatedRun[4];
        TranslationResult last = _machine.Port.TranslateRange(_requester, 0x10_0800, 0x4000, Access.Read, runs, out int count, out ulong done);
        Assert.True(last.Succeeded);
        Assert.Equal((2, 0x4000UL), (count, done));
        Assert.Equal([new(Page + 0x800, 0x3800), new(Page + 0x10_0000, 0x800)], runs[..2]);
    }

    [Fact]
    public void ARangeStopsAtAFaultAndWhenRunsAreUsedUp()
    {
        _machine.Map(_root, 3, 0x20_0000, Page);
        _machine.Map(_root, 3, 0x20_1000, Page + 0x5000);
        TranslationResult last = _machine.Port.TranslateRange(
            _requester, 0x20_0000, 0x3000, Access.Read, new TranslatedRun[4], out int count, out ulong done);
        Assert.Equal((FaultReason.NotPresent, 2, 0x2000UL), (last.Reason, count, done));
        last = _machine.Port.TranslateRange(_requester, 0x20_0000, 0x2000, Access.Read, new TranslatedRun[1], out count, out done);
        Assert.Equal((FaultReason.None, 1, 0x1000UL), (last.Reason, count, done));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            _machine.Port.TranslateRange(_requester, ulong.MaxValue, 2, Access.Read, new TranslatedRun[1], out _, out _));
    }

    [Fact]
    public void ARequesterBatchEqualsItsRequestsOneByOne()
    {
        ulong[] iovas = [.. Enumerable.Range(0, 3000).Select(static i => (i % 5) switch
        {
            0 => 0x5000UL + (ulong)(i & 0xFFF),
            1 => 0xFEE0_0000UL,
            2 => 0x6000UL,
            3 => ulong.MaxValue - (ulong)i,
            _ => 0x5FFFUL,
        })];
        var results = new TranslationResult[iovas.Length];
        foreach (Requester requester in new[] { _requester, _requester with { Pasid = 1 } })
        {
            foreach (Access access in new[] { Access.Read, Access.Write })
            {
                _machine.Port.Translate(requester, iovas, access, results);
                for (int i = 0; i < iovas.Length; i++)
                {
                    Assert.Equal(_machine.Port.Translate(requester.Request(iovas[i], access)), results[i]);
                }
            }
        }

        Assert.Throws<ArgumentException>(() => _machine.Port.Translate(_requester, iovas, Access.Read, new TranslationResult[1]));
    }

    [Fact]
    public void WhileDisabledARequesterBatchPassesWhole()
    {
        _machine.Write(Mmio.Control, 0);
        ulong[] iovas = [0x5000, 0x6000, 0xFEE0_0000, ulong.MaxValue];
        var results = new TranslationResult[iovas.Length];
        _machine.Port.Translate(_requester, iovas, Access.Write, results);
        Assert.All(results, static result => Assert.True(result is { Succeeded: true, IsMessage: false }));
        Assert.Equal(iovas, results.Select(static result => result.Address));
    }

    [Fact]
    public void AMessageReachesNoMemoryThatHasItsAddress()
    {
        _machine.Memory.AddOwned(0xFEE0_0000, 0x1000);
        using PortBatch batch = _machine.Port.OpenBatch();
        Assert.True(batch.TranslateToHost(_requester.Request(0xFEE0_0000, Access.Write), out Span<byte> memory).IsMessage);
        Assert.True(memory.IsEmpty);
    }

    [Fact]
    public void ARangeStopsAtAMessageAndMayEndWithTheAddressSpace()
    {
        TranslationResult last = _machine.Port.TranslateRange(
            _requester, 0xFEE0_0000, 4, Access.Write, new TranslatedRun[1], out int count, out ulong done);
        Assert.Equal((true, 0, 0UL), (last.IsMessage, count, done));
        last = _machine.Port.TranslateRange(_requester, ulong.MaxValue - 0xFFF, 0x1000, Access.Read, new TranslatedRun[1], out count, out done);
        Assert.Equal((FaultReason.AddressBeyondTable, 0, 0UL), (last.Reason, count, done));
    }

    /// <summary>What passes in the exclusion range says nothing of the addresses beside it.</summary>
    [Fact]
    public void ARangeThatLeavesTheExclusionRangeIsTranslatedFromThere()
    {
        _machine.Write(Mmio.ExclusionBase, 0x4000 | 3); // ExEn, Allow
        _machine.Write(Mmio.ExclusionLimit, 0x4000);
        var runs = new TranslatedRun[2];
        _machine.Port.TranslateRange(_requester, 0x4800, 0x1000, Access.Read, runs, out int count, out ulong done);
        Assert.Equal((2, 0x1000UL), (count, done));
        Assert.Equal([new(0x4800, 0x800), new(Page, 0x800)], runs);
    }

    /// <summary>A page, or the whole of a device that is not translated, may hold the interrupt window; no run covers a message.</summary>
    [Theory]
    [InlineData(Device, 0x40_3E00_0000UL)]
    [InlineData(Passing, 0xFE00_0000UL)]
    public void ARangeStopsBeforeTheMessagesWithinAPage(uint device, ulong output)
    {
        _machine.SetEntry(_root, 3, 0xC000_0000, 3, Bits.Pte(0x40_0000_0000)); // 1 GiB
        var runs = new TranslatedRun[2];
        TranslationResult last = _machine.Port.TranslateRange(
            new(new(device)), 0xFE00_0000, 0x200_0000, Access.Write, runs, out int count, out ulong done);
        Assert.Equal((true, 1, 0xE0_0000UL), (last.IsMessage, count, done));
        Assert.Equal(new(output, 0xE0_0000), runs[0]);
    }

    [Fact]
    public void ARangeThatEntersTheExclusionRangeWithinAPageIsNotTranslatedFromThere()
    {
        _machine.SetEntry(_root, 3, 0x4000_0000, 2, Bits.Pte(0x8000_0000)); // 2 MiB
        _machine.Write(Mmio.ExclusionBase, 0x4000_2000 | 3); // ExEn, Allow
        _machine.Write(Mmio.ExclusionLimit, 0x4000_2000);
        var runs = new TranslatedRun[4];
        _machine.Port.TranslateRange(_requester, 0x4000_0000, 0x5000, Access.Read, runs, out int count, out ulong done);
        Assert.Equal((3, 0x5000UL), (count, done));
        Assert.Equal([new(0x8000_0000, 0x2000), new(0x4000_2000, 0x1000), new(0x8000_3000, 0x2000)], runs[..3]);
    }
}
