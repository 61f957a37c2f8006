using FastNest.Amd;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>What the caches of both stages count, for known requests, on every strategy.</summary>
public sealed class CacheStatisticsTests : IDisposable
{
    private const uint Device = 0x20;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong GuestRoot = 0x71_0000;
    private const int Pages = 8;
    private const int OtherRange = 0x20_0000;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
    private readonly ulong[] _iovas = [.. Enumerable.Range(0, Pages).Select(static i => (ulong)i << 12)];
    private readonly TranslationResult[] _results = new TranslationResult[Pages];

    public CacheStatisticsTests()
    {
        ulong host = _machine.NewTable();
        for (ulong page = 0; page < 8; page++)
        {
            _machine.SetEntry(host, 3, page << 21, 2, Bits.Pte(page << 21));
        }

        _machine.Poke(Gcr3 + 8, GuestRoot | 1);
        for (ulong level = 0; level < 3; level++)
        {
            _machine.Poke(GuestRoot + level * 0x1000, (GuestRoot + level * 0x1000 + 0x1000) | 0x67);
        }

        // Tables and pages of the first range within the same 2 MiB, so that one table of the second stage serves all.
        for (ulong page = 0; page < Pages; page++)
        {
            _machine.Poke(GuestRoot + 0x3000 + page * 8, (0x60_0000 + (page << 12)) | 0x67);
            _machine.Poke(GuestRoot + 0x4000 + page * 8, (0x80_0000 + (page << 12)) | 0x67);
        }

        _machine.Poke(GuestRoot + 0x2000 + 8, (GuestRoot + 0x4000) | 0x67); // the other range, whose pages lie elsewhere

        _machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), 5 | Bits.GuestMiddle(Gcr3));
        _machine.Start(1UL << 16 | 1UL << 58);
    }

    public static TheoryData<WalkStrategy> Strategies => [.. WalkStrategies.Supported];

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(Strategies))]
    public void TablesAreMissedOnceFoundThenAndDroppedByTheirPages(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 0 }, strategy);
        PortStatistics cold = Ask(port);
        Assert.InRange(cold.GuestTables.Misses, 1, Pages);
        // The PASID's table is looked for alone, the first directory of all requests together where they go side by side.
        Assert.Equal(strategy == WalkStrategy.Scalar ? (1, 1) : (1 + Pages, 1 + Pages), (cold.HostTables.Misses, cold.HostTables.Fills));
        Assert.InRange(cold.GuestTables.Fills, 1, Pages);
        Assert.Equal((0L, 0L), (cold.GuestTables.Evictions, cold.GuestTables.Invalidations));

        PortStatistics warm = Ask(port);
        Assert.Equal(
            cold.GuestTables with { Hits = cold.GuestTables.Hits + Pages }, warm.GuestTables);
        Assert.Equal((cold.HostTables.Misses, cold.HostTables.Fills), (warm.HostTables.Misses, warm.HostTables.Fills));
        Assert.Equal((cold.NestedTlb.Misses, cold.NestedTlb.Fills), (warm.NestedTlb.Misses, warm.NestedTlb.Fills));
        Assert.True(
            warm.HostTables.Hits + warm.NestedTlb.Hits >= cold.HostTables.Hits + cold.NestedTlb.Hits + Pages,
            "the second stage of each page was known");

        _machine.SendAndWait((3UL << 60 | 5UL << 32 | 1, 0x3006));
        PortStatistics dropped = Ask(port);
        Assert.InRange(dropped.GuestTables.Invalidations, 1, 4);
        Assert.InRange(dropped.GuestTables.Misses, warm.GuestTables.Misses + 1, warm.GuestTables.Misses + Pages);
        Assert.Equal(warm.NestedTlb.Invalidations, dropped.NestedTlb.Invalidations);
    }

    /// <summary>However much is cached, the invalidation of a page looks at a handful of places.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void APagesInvalidationDropsThatPageAlone(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(new(), strategy);
        for (int i = 0; i < 20; i++)
        {
            Ask(port); // after a batch of misses the IOTLB of batches rests for a while
        }

        PortStatistics before = Ask(port);
        Assert.Equal(Pages, before.Iotlb.Fills);
        _machine.SendAndWait((3UL << 60 | 5UL << 32 | 1, 0x3004));
        PortStatistics after = Ask(port);
        Assert.Equal(before.Iotlb.Invalidations + 1, after.Iotlb.Invalidations);
        Assert.Equal((before.Iotlb.Hits + Pages - 1, before.Iotlb.Misses + 1), (after.Iotlb.Hits, after.Iotlb.Misses));
        Assert.Equal(before.Iotlb.Fills + 1, after.Iotlb.Fills);
    }

    /// <summary>Addresses that no table covers are nobody's hits.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void RequestsSetAsideAreNoHits(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(new(), strategy);
        ulong[] iovas = [.. _iovas.Select(static (iova, i) => i % 2 == 0 ? iova : iova | 1UL << 60)];
        var requester = new Requester(new(Device), 1);
        for (int i = 0; i < 20; i++)
        {
            port.Translate(requester, iovas, Access.Read, _results);
        }

        long before = port.Statistics.Iotlb.Hits;
        port.Translate(requester, iovas, Access.Read, _results);
        Assert.Equal(before + Pages / 2, port.Statistics.Iotlb.Hits);
        Assert.Equal(Pages / 2, _results.Count(static result => result.Succeeded));
    }

    /// <summary>
    /// Two ranges in turn, whose tables and pages push each other out of caches of one entry, then the page of the second stage
    /// that holds the tables. The PASID's table is always looked for alone; the rest one by one, or for all requests at once.
    /// </summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void CachesOfOneEntryCountWhatGivesWay(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(
            new() { IotlbSets = 0, NestedTlbSets = 1, NestedTlbWays = 1, GuestTableEntries = 1, HostTableEntries = 1 }, strategy);
        bool alone = strategy == WalkStrategy.Scalar;
        for (int turn = 0; turn < 5; turn++)
        {
            PortStatistics now = Ask(port, turn % 2 * OtherRange);
            Assert.Equal(
                alone
                    ? new(12 + 11 * turn, 1 + turn, 1 + turn, turn, 0) // in each turn four tables and the pages, one of them not known
                    : new(0, 1, 1, 0, 0),
                now.NestedTlb);
            Assert.Equal(
                alone
                    ? new(7 * (turn + 1), turn + 1, 3 * (turn + 1), 3 * turn + 2, 0) // three levels on the way down, each over the last
                    : new(0, Pages * (turn + 1), Pages * (turn + 1), turn, 0),
                now.GuestTables);
            Assert.Equal(
                alone
                    ? new(turn, 1, 1, 0, 0)
                    : new(4 * Pages * (turn + 1), 1 + Pages * (turn + 1), 1 + Pages * (turn + 1), turn, 0),
                now.HostTables);
        }

        PortStatistics before = port.Statistics;
        _machine.SendAndWait(Bits.InvalidatePages(5, 0x60_0000, false));
        PortStatistics after = Ask(port);
        Assert.Equal(before.NestedTlb.Add(alone ? new(12, 1, 1, 0, 1) : new(0, 1, 1, 0, 1)), after.NestedTlb);
        Assert.Equal(before.GuestTables.Add(alone ? new(7, 1, 3, 3, 0) : new(0, Pages, Pages, 1, 0)), after.GuestTables);
        Assert.Equal(before.HostTables.Add(alone ? new(0, 1, 1, 0, 1) : new(4 * Pages, 1 + Pages, 1 + Pages, 0, 2)), after.HostTables);
    }

    /// <summary>However a batch came to know its requesters, each request asks for its context once.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void EveryRequestOfAMixedBatchAsksForItsContext(WalkStrategy strategy)
    {
        const int batches = 5;
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        TranslationRequest[] requests = [.. _iovas.Select(static iova => new TranslationRequest(new(Device), 1, iova, Access.Read))];
        for (int batch = 0; batch < batches; batch++)
        {
            port.Translate(requests, _results);
        }

        CacheStatistics contexts = port.Statistics.Contexts;
        Assert.Equal((batches * Pages, 1L), (contexts.Hits + contexts.Misses, contexts.Misses));
    }

    /// <summary>Pages of both ranges meet in the places of so small a cache; what gives way is found all the same.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void PagesThatMeetInOnePlaceAreMissedOnce(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 8, IotlbWays = 4 }, strategy);
        ulong[] iovas = [.. _iovas[..4], .. _iovas[..4].Select(static iova => iova + OtherRange)];
        for (int round = 0; round < 60; round++)
        {
            port.Translate(new Requester(new(Device), 1), iovas, Access.Read, _results);
            Assert.All(_results, static result => Assert.True(result.Succeeded));
        }

        CacheStatistics iotlb = port.Statistics.Iotlb;
        Assert.Equal((iovas.Length, iovas.Length, 0L), (iotlb.Misses, iotlb.Fills, iotlb.Evictions));
        Assert.True(iotlb.Hits > iovas.Length, "the IOTLB was asked again");
    }

    private PortStatistics Ask(TranslationPort port, int offset = 0)
    {
        ulong[] iovas = [.. _iovas.Select(iova => iova + (ulong)offset)];
        port.Translate(new Requester(new(Device), 1), iovas, Access.Read, _results);
        Assert.All(_results, static result => Assert.True(result.Succeeded));
        return port.Statistics;
    }
}
