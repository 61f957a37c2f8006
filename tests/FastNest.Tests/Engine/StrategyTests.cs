using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Whatever the strategy, a batch is answered as its requests are one by one.</summary>
public sealed class StrategyTests : IDisposable
{
    private const uint Device = 5;
    private const ulong FarTables = 1UL << 32;

    private readonly TestMachine _machine = new();

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void EveryMachineRunsTheStrategiesThatNeedNoVectors()
    {
        Assert.Contains(WalkStrategy.Scalar, WalkStrategies.Supported);
        Assert.Contains(WalkStrategy.Grouped, WalkStrategies.Supported);
        Assert.Contains(WalkStrategy.Portable, WalkStrategies.Supported);
        Assert.DoesNotContain(WalkStrategy.Auto, WalkStrategies.Supported);
        Assert.False(WalkStrategies.IsSupported(WalkStrategy.Auto));
    }

    [Fact]
    public void AStrategyThatTheMachineLacksIsRefused()
    {
        var exception = Assert.Throws<ArgumentOutOfRangeException>(() => _machine.Iommu.OpenPort(null, (WalkStrategy)99));
        Assert.Contains("99", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void ABatchOfAnyLengthIsAnsweredAsItsRequestsAre(WalkStrategy strategy)
    {
        Map();
        TranslationRequest[] requests = Requests();
        foreach (CacheOptions caches in (CacheOptions[])[CacheOptions.None, CacheOptions.Smallest, new()])
        {
            using TranslationPort lone = _machine.Iommu.OpenPort(CacheOptions.None, WalkStrategy.Scalar);
            TranslationResult[] expected = [.. requests.Select(request => lone.Translate(in request))];
            using TranslationPort port = _machine.Iommu.OpenPort(caches, strategy);
            for (int length = 0; length <= 100; length++)
            {
                int from = length * 7 % (requests.Length - length);
                var results = new TranslationResult[length + 2];
                port.Translate(requests.AsSpan(from, length), results.AsSpan(1, length));
                Assert.Equal(expected.AsSpan(from, length), results.AsSpan(1, length));
                Assert.Equal(default, results[0]);
                Assert.Equal(default, results[^1]);
            }
        }
    }

    /// <summary>
    /// A request that recycles the tags takes those set out before it off the lanes; what waits for its turn behind them is
    /// to be answered all the same, whoever is the one that recycles.
    /// </summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void RequestsThatWaitWhileTagsAreRecycledAreAnswered(WalkStrategy strategy)
    {
        _machine.Start();
        ulong deep = _machine.NewTable();
        ulong flat = _machine.NewTable();
        _machine.Map(deep, 3, 0x5000, 0x10_0000);
        _machine.Map(flat, 2, 0x5000, 0x20_0000);
        for (uint device = 0; device < 8; device++)
        {
            _machine.SetDte(device, Bits.DteLow(deep, 3), 0x10 + device);
            _machine.SetDte(device + 8, Bits.DteLow(flat, 2), 0x20 + device);
            _machine.SetDte(device + 16, Bits.V, 0x30 + device); // refused: never side by side
        }

        for (int tags = 4; tags < 12; tags++)
        {
            for (int length = 4; length < 20; length++)
            {
                var dice = new Random(tags * 100 + length);
                TranslationRequest[] requests = [.. Enumerable.Range(0, length).Select(_ => new TranslationRequest(new((uint)dice.Next(24)), 0x5000, Access.Read))];
                var results = new TranslationResult[length];
                Array.Fill(results, TranslationResult.Message(1)); // what was there before must not pass for an answer
                using TranslationPort port = _machine.Iommu.OpenPort(new() { Tags = (uint)tags, ContextEntries = 2 }, strategy);
                port.Translate(requests, results);
                Assert.Equal(
                    requests.Select(request => request.Device.Value switch { < 8 => 0x10_0000UL, < 16 => 0x20_0000UL, _ => 0x5000UL }),
                    results.Select(result => result.Address));
                Assert.Equal(requests.Select(request => request.Device.Value < 16), results.Select(result => result.Succeeded));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void FaultsOfABatchAreReportedInItsOrder(WalkStrategy strategy)
    {
        Map();
        TranslationRequest[] requests = [.. Requests().Take(60)];
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        var results = new TranslationResult[requests.Length];
        port.Translate(requests, results);
        ulong[] refused = [.. requests.Where((_, i) => !results[i].Succeeded).Select(request => request.Iova)];
        Assert.True(refused.Length > 5);
        for (int i = 0; i < refused.Length; i++)
        {
            Assert.Equal(refused[i], _machine.Peek(TestMachine.EventRing + (ulong)i * 16 + 8));
        }
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void TablesOutsideTheLargestRunOfMemoryAreWalked(WalkStrategy strategy)
    {
        _machine.Memory.AddOwned(FarTables, 1 << 20);
        _machine.Start();
        _machine.Poke(FarTables + 8 * 3, Bits.Pte(0x77_0000));
        _machine.SetDte(Device, Bits.DteLow(FarTables, 1, Bits.IR | Bits.IW));
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        var results = new TranslationResult[20];
        for (int round = 0; round < 3; round++)
        {
            port.Translate(new Requester(new(Device)), [.. Enumerable.Repeat(0x3008UL, 20)], Access.Read, results);
            Assert.All(results, result => Assert.Equal(0x77_0008UL, result.Address));
        }
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void MemoryThatIsTakenOutUnderCachedTablesIsNotRead(WalkStrategy strategy)
    {
        MemoryRegion region = _machine.Memory.AddOwned(FarTables, 64 << 20); // the largest run
        _machine.Start();
        _machine.Poke(FarTables + 8 * 3, Bits.Pte(0x77_0000));
        _machine.SetDte(Device, Bits.DteLow(FarTables, 1, Bits.IR | Bits.IW));
        using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 0 }, strategy);
        ulong[] iovas = [.. Enumerable.Repeat(0x3008UL, 20)];
        var results = new TranslationResult[20];
        port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        Assert.All(results, result => Assert.True(result.Succeeded));
        _machine.Memory.Remove(region);
        port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        Assert.All(results, result => Assert.Equal(FaultReason.TableUnreadable, result.Reason));
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void ABatchSeenBeforeIsAnsweredFromTheIotlb(WalkStrategy strategy)
    {
        Map();
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        ulong[] iovas = [.. Enumerable.Range(0, 64).Select(i => (ulong)(i % 4) << 12), 0x4000_0000, 0x20_0000];
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        for (int i = 0; i < 40; i++)
        {
            port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        }

        CacheStatistics before = port.Statistics.Iotlb;
        port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        CacheStatistics after = port.Statistics.Iotlb;
        Assert.Equal((iovas.Length, 0L, 0L), (after.Hits - before.Hits, after.Misses - before.Misses, after.Fills - before.Fills));
        Assert.All(results, result => Assert.True(result.Succeeded));
    }

    /// <summary>A page's size is not known before it is found: it is looked for among those of every size, and missed once.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void WhatNoSizeHoldsIsMissedOnce(WalkStrategy strategy)
    {
        Map();
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        ulong[] iovas = [0, 0x1000, 0x2000, 0x4000_0000, 0x20_0000];
        port.Translate(new Requester(new(Device)), iovas, Access.Read, new TranslationResult[iovas.Length]);
        Assert.Equal((0L, iovas.Length), (port.Statistics.Iotlb.Hits, port.Statistics.Iotlb.Misses));
    }

    private void Map()
    {
        _machine.Start();
        ulong root = _machine.NewTable();
        ulong middle = _machine.NewTable();
        ulong leaves = _machine.NewTable();
        _machine.Poke(root, Bits.Pde(middle, 2));
        _machine.Poke(root + 8, Bits.Pte(0x40_0000_0000)); // 1 GiB
        _machine.Poke(root + 16, Bits.Pde(leaves, 1)); // a level skipped
        _machine.Poke(middle, Bits.Pde(leaves, 1));
        _machine.Poke(middle + 8, Bits.Pte(0x8000_0000)); // 2 MiB
        _machine.Poke(middle + 16, Bits.SizedPte(0x1_0000_0000, 22));
        _machine.Poke(middle + 24, Bits.SizedPte(0x1_0000_0000, 22));
        for (ulong page = 0; page < 32; page++)
        {
            _machine.Poke(leaves + page * 8, page % 5 == 4 ? 0 : Bits.Pte(0x10_0000 + (page << 12), page % 7 == 3 ? Bits.IR : Bits.IR | Bits.IW));
        }

        for (ulong page = 32; page < 48; page++)
        {
            _machine.Poke(leaves + page * 8, Bits.SizedPte(0x20_0000, 16)); // 64 KiB
        }

        _machine.SetDte(Device, Bits.DteLow(root, 3, Bits.IR | Bits.IW));
    }

    private static TranslationRequest[] Requests()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, 300).Select(_ =>
        {
            ulong page = (ulong)random.Next(50) << 12 | (uint)random.Next(4096);
            ulong iova = random.Next(8) switch
            {
                0 => 0x4000_0000 + page,
                1 => 0x20_0000 + page,
                2 => 0x50_0000 + page,
                3 => 0x8000_0000 + page,
                4 => 0x8020_0000 + page,
                _ => page,
            };
            return new TranslationRequest(new(random.Next(20) == 0 ? 6u : Device), iova, random.Next(3) == 0 ? Access.Write : Access.Read);
        })];
    }
}
