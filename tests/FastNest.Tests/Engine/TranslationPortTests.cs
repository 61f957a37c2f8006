using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class TranslationPortTests : IDisposable
{
    private const uint Device = 0x0310;
    private const ushort Domain = 0x77;
    private readonly TestMachine _machine = new TestMachine().Start(commandCode: 12);
    private readonly ulong _root;

    public TranslationPortTests()
    {
        _root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(_root, 2), Domain);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void ABatchAnswersEachRequestInOrderAndGoesOnAfterAFault()
    {
        for (ulong page = 0; page < 8; page++)
        {
            _machine.Map(_root, 2, page << 12, (page << 12) + 0x10_0000);
        }

        TranslationRequest[] requests = [.. Enumerable.Range(0, 20).Select(static i => new TranslationRequest(new(Device), ((ulong)(i % 10) << 12) + (ulong)i, Access.Read))];
        var results = new TranslationResult[21];
        _machine.Port.Translate(requests, results);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(i % 10 < 8, results[i].Succeeded);
            Assert.Equal(requests[i].Iova + (results[i].Succeeded ? 0x10_0000UL : 0), results[i].Address);
        }

        Assert.Equal(default, results[20]);
        Assert.Equal([0x8008UL, 0x9009, 0x8012, 0x9013], _machine.DrainEvents().Select(static entry => entry.High));
    }

    [Fact]
    public void ALongBatchIsAnsweredWhole()
    {
        _machine.Map(_root, 2, 0, 0x10_0000);
        TranslationRequest[] requests = [.. Enumerable.Range(0, 5000).Select(static i => new TranslationRequest(new(Device), (ulong)i % 4096, Access.Read))];
        var results = new TranslationResult[5000];
        _machine.Port.Translate(requests, results);
        Assert.All(requests.Zip(results), static pair => Assert.Equal(pair.First.Iova + 0x10_0000, pair.Second.Address));
    }

    [Fact]
    public void AnEmptyBatchIsFine() => _machine.Port.Translate([], []);

    [Fact]
    public void TooFewPlacesForResultsAreRefusedBeforeAnythingIsDone()
    {
        string message = Assert.Throws<ArgumentException>(() => _machine.Port.Translate(new TranslationRequest[3], new TranslationResult[2])).Message;
        Assert.Contains("2", message, StringComparison.Ordinal);
        Assert.Contains("3", message, StringComparison.Ordinal);
        Assert.Empty(_machine.DrainEvents());
    }

    [Fact]
    public void ADisposedPortRefusesAndIsNotWaitedFor()
    {
        TranslationPort port = _machine.Iommu.OpenPort();
        port.Dispose();
        port.Dispose();
        Assert.Throws<ObjectDisposedException>(() => port.Translate(new TranslationRequest(new(Device), 0, Access.Read)));
        _machine.SendAndWait(Bits.InvalidateAll());
    }

    /// <summary>Ports come and go: one that is gone must not stand in the list of those to look at, whatever was left open.</summary>
    [Fact]
    public void ADisposedPortIsForgotten()
    {
        TranslationPort port = _machine.Iommu.OpenPort();
        _ = port.OpenBatch();
        ReadSections sections = _machine.Memory.Sections;
        Assert.False(sections.HavePassed(sections.Advance()));
        port.Dispose();
        Assert.True(sections.HavePassed(sections.Advance()));
    }

    [Fact]
    public void IdlePortsAreNotWaitedFor()
    {
        TranslationPort[] ports = [.. Enumerable.Range(0, 8).Select(_ => _machine.Iommu.OpenPort())];
        ports[3].Translate(new TranslationRequest(new(Device), 0, Access.Read));
        _machine.SendAndWait(Bits.InvalidateAll());
    }

    [Fact]
    public void APortThatLagsBehindMoreThanTheQueueHoldsDropsEverything()
    {
        ulong leaf = _machine.Map(_root, 2, 0x5000, 0x10_0000);
        Assert.Equal(0x10_0000UL, _machine.Translate(Device, 0x5000).Address);
        _machine.Poke(leaf, Bits.Pte(0x20_0000));
        _machine.SendAndWait([Bits.InvalidatePages(Domain, 0x5000, false), .. Enumerable.Repeat(Bits.InvalidatePages(1, 0, false), 3000)]);
        Assert.Equal(0x20_0000UL, _machine.Translate(Device, 0x5000).Address);
    }

    [Fact]
    public void EveryPortSeesEveryInvalidation()
    {
        ulong leaf = _machine.Map(_root, 2, 0x5000, 0x10_0000);
        TranslationPort[] ports = [.. Enumerable.Range(0, 5).Select(_ => _machine.Iommu.OpenPort())];
        var request = new TranslationRequest(new(Device), 0x5000, Access.Read);
        foreach (ulong page in (ulong[])[0x20_0000, 0x30_0000])
        {
            _machine.Poke(leaf, Bits.Pte(page));
            _machine.SendAndWait(Bits.InvalidatePages(Domain, 0x5000, false));
            Assert.All(ports, port => Assert.Equal(page, port.Translate(in request).Address));
        }
    }

    [Fact]
    public void ACompletionWaitsForABatchUnderWay()
    {
        ReadSection section = _machine.Memory.Sections.Register();
        _machine.Memory.Sections.Enter(section);
        ulong tail = _machine.Queue(Bits.StoreWait(TestMachine.Semaphore, 9));
        using var software = new Worker(() => _machine.Write(Mmio.CommandTail, tail));
        software.Start();
        Assert.False(software.Join(50));
        Assert.Equal(0UL, _machine.Peek(TestMachine.Semaphore));
        section.Leave();
        Assert.True(software.Join(10_000));
        Assert.Equal(9UL, _machine.Peek(TestMachine.Semaphore));
    }

    /// <summary>After the store of a COMPLETION_WAIT nobody may be given what was invalidated before it.</summary>
    [Fact]
    public void NoPortGivesAnOldPageAfterTheCompletion()
    {
        ulong leaf = _machine.Map(_root, 2, 0x5000, 0);
        long version = 0; // what may still be given: this one or later
        bool stop = false;
        int stale = 0;
        Worker[] devices = [.. Enumerable.Range(0, 2).Select(_ => new Worker(() =>
        {
            using TranslationPort port = _machine.Iommu.OpenPort();
            var request = new TranslationRequest(new(Device), 0x5000, Access.Read);
            while (!Volatile.Read(ref stop))
            {
                long oldest = Volatile.Read(ref version);
                stale += (long)(port.Translate(in request).Address >> 12) < oldest ? 1 : 0;
            }
        }))];
        Array.ForEach(devices, static device => device.Start());
        try
        {
            for (ulong i = 1; i <= 500; i++)
            {
                _machine.Poke(leaf, Bits.Pte(i << 12));
                _machine.SendAndWait(Bits.InvalidatePages(Domain, 0x5000, false));
                Volatile.Write(ref version, (long)i);
            }
        }
        finally
        {
            Volatile.Write(ref stop, true);
            Array.ForEach(devices, static device => device.Join());
        }

        Assert.Equal(0, stale);
    }

    [Fact]
    public void TheInterruptOfAFaultMayCallBackIntoTheIommu()
    {
        FastNest.Amd.AmdIommu? iommu = null;
        ulong seen = 0;
        iommu = new FastNest.Amd.AmdIommu(_machine.Memory, new()
        {
            Interrupt = _ =>
            {
                seen = iommu!.Read(Mmio.EventTail, 8);
                iommu.Write(Mmio.Status, 8, Mmio.EventLogInt);
                iommu.Write(Mmio.EventHead, 8, seen);
            },
        });
        iommu.Write(Mmio.EventBase, 8, TestMachine.EventRing | 8UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.EventLogEn | Mmio.EventIntEn);
        using TranslationPort port = iommu.OpenPort();
        port.Translate(new TranslationRequest(new(Device), 0, Access.Read)); // beyond the table
        Assert.Equal((16UL, 16UL), (seen, iommu.Read(Mmio.EventHead, 8)));
    }

    /// <summary>A long span is translated in pieces; what is invalidated between two of them is seen by the second.</summary>
    [Fact]
    public void ALongBatchSeesInvalidationsBetweenItsPieces()
    {
        ulong leaf = _machine.Map(_root, 2, 0x5000, 0x10_0000);
        FastNest.Amd.AmdIommu? iommu = null;
        iommu = new FastNest.Amd.AmdIommu(_machine.Memory, new()
        {
            Interrupt = _ =>
            {
                // The fault in the first piece: software changes the page and waits for its invalidation.
                _machine.Poke(leaf, Bits.Pte(0x20_0000));
                (ulong low, ulong high) = Bits.InvalidatePages(Domain, 0x5000, false);
                _machine.Poke(TestMachine.CommandRing, low);
                _machine.Poke(TestMachine.CommandRing + 8, high);
                iommu!.Write(Mmio.CommandTail, 8, 16);
            },
        });
        iommu.Write(Mmio.DeviceTableBase, 8, TestMachine.DeviceTable | 0x1FF);
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 8UL << 56);
        iommu.Write(Mmio.EventBase, 8, TestMachine.EventRing | 8UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn | Mmio.EventLogEn | Mmio.EventIntEn);
        using TranslationPort port = iommu.OpenPort();
        TranslationRequest[] requests = [.. Enumerable.Repeat(new TranslationRequest(new(Device), 0x5000, Access.Read), 100_000)];
        requests[1] = new(new(Device), 0x6000, Access.Read); // not mapped
        var results = new TranslationResult[requests.Length];
        port.Translate(requests, results);
        Assert.Equal(0x10_0000UL, results[0].Address);
        Assert.Equal(0x20_0000UL, results[^1].Address);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ABatchWithoutFaultsAllocatesNothing(bool cached)
    {
        for (ulong page = 0; page < 512; page++)
        {
            _machine.Map(_root, 2, page << 12, page << 12);
        }

        using TranslationPort port = _machine.Iommu.OpenPort(cached ? new() : new() { ContextEntries = 1, IotlbSets = 1, IotlbWays = 1, HostTableEntries = 1 });
        TranslationRequest[] requests = [.. Enumerable.Range(0, 1024).Select(static i => new TranslationRequest(new(Device), (ulong)(i * 7 % 512) << 12, Access.Read))];
        var results = new TranslationResult[requests.Length];
        for (int i = 0; i < 40; i++)
        {
            port.Translate(requests, results);
        }

        long allocated = Allocations.Least(static () => { }, () =>
        {
            port.Translate(requests, results);
            port.Translate(in requests[0]);
        });
        Assert.Equal(0, allocated);
        Assert.All(results, static result => Assert.True(result.Succeeded));
    }

    [Fact]
    public void SeveralTagsRunOutAndNothingIsConfused()
    {
        ulong[] roots = [.. Enumerable.Range(0, 6).Select(_ => _machine.NewTable())];
        for (uint i = 0; i < 6; i++)
        {
            _machine.SetDte(i, Bits.DteLow(roots[i], 1), i + 1);
            _machine.Map(roots[i], 1, 0x5000, (ulong)(i + 1) << 16);
        }

        using TranslationPort port = _machine.Iommu.OpenPort(new() { Tags = 5 });
        for (uint round = 0; round < 50; round++)
        {
            uint device = round * 5 % 6;
            Assert.Equal((ulong)(device + 1) << 16, port.Translate(new TranslationRequest(new(device), 0x5000, Access.Read)).Address);
        }

        Assert.True(port.Statistics.Iotlb.Invalidations > 0, "everything cached is dropped when tags run out");
    }

    /// <summary>When tags begin anew, nothing of the second stage or of guest tables is found under one that was another's.</summary>
    [Fact]
    public void TagsOfBothStagesRunOutAndNothingIsConfused()
    {
        using var machine = new TestMachine(FastNest.Amd.IommuFeatures.Built.ExtendedFeatures);
        machine.Start(Mmio.GTEn);
        for (uint i = 0; i < 4; i++)
        {
            ulong host = machine.NewTable();
            machine.SetEntry(host, 3, 0x60_0000, 2, Bits.Pte(0x60_0000));
            machine.SetEntry(host, 3, 0x80_0000, 2, Bits.Pte((i + 5UL) << 21));
            ulong table = machine.NewTable();
            ulong gcr3 = machine.NewTable();
            machine.Poke(gcr3 + 8, table | 1);
            for (int level = 0; level < 3; level++)
            {
                ulong next = machine.NewTable();
                machine.Poke(table, next | 0x67);
                table = next;
            }

            machine.Poke(table + 5 * 8, (0x80_0000 + i * 0x1000UL) | 0x67);
            machine.SetDte(i, Bits.DteLow(host, 3) | 1UL << 55 | (gcr3 >> 12 & 7) << 58, (i + 1) | (gcr3 >> 15 & 0xFFFF) << 16);
        }

        using TranslationPort port = machine.Iommu.OpenPort(new() { Tags = 5, IotlbSets = 0 });
        for (uint round = 0; round < 40; round++)
        {
            uint device = round * 3 % 4;
            Assert.Equal(
                ((device + 5UL) << 21) + device * 0x1000,
                port.Translate(new TranslationRequest(new(device), 1, 0x5000, Access.Read)).Address);
        }
    }

    [Fact]
    public void AContextThatGivesWayToAnotherIsAnEviction()
    {
        _machine.SetDte(Device + 1, Bits.DteLow(_root, 2), Domain);
        using TranslationPort port = _machine.Iommu.OpenPort(new() { ContextEntries = 1 });
        foreach (uint device in (uint[])[Device, Device, Device + 1, Device])
        {
            port.Translate(new TranslationRequest(new(device), 0x5000, Access.Read));
        }

        _machine.SendAndWait(Bits.InvalidateAll());
        port.Translate(new TranslationRequest(new(Device), 0x5000, Access.Read)); // not evicted: it was dead
        Assert.Equal(new CacheStatistics(Hits: 1, Misses: 4, Fills: 4, Evictions: 2, Invalidations: 1), port.Statistics.Contexts);
    }

    [Fact]
    public void StatisticsCountWhatTheCachesDid()
    {
        _machine.Map(_root, 2, 0x5000, 0x10_0000);
        _machine.Translate(Device, 0x5000);
        _machine.Translate(Device, 0x5001);
        _machine.Translate(Device, 0x5002);
        PortStatistics statistics = _machine.Port.Statistics;
        Assert.Equal((2L, 1L, 1L), (statistics.Iotlb.Hits, statistics.Iotlb.Misses, statistics.Iotlb.Fills));
        Assert.Equal((2L, 1L, 1L), (statistics.Contexts.Hits, statistics.Contexts.Misses, statistics.Contexts.Fills));
    }
}
