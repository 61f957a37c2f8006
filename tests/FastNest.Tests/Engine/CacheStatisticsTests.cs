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

        // Tables and pages within the same 2 MiB, so that one table of the second stage serves all.
        for (ulong page = 0; page < Pages; page++)
        {
            _machine.Poke(GuestRoot + 0x3000 + page * 8, (0x60_0000 + (page << 12)) | 0x67);
        }

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

    private PortStatistics Ask(TranslationPort port)
    {
        port.Translate(new Requester(new(Device), 1), _iovas, Access.Read, _results);
        Assert.All(_results, static result => Assert.True(result.Succeeded));
        return port.Statistics;
    }
}
