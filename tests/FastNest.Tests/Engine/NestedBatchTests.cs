using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Batches through caches whose entries must go, or must not be used, whatever the strategy.</summary>
public sealed class NestedBatchTests : IDisposable
{
    private const uint Device = 9;
    private const ulong Domain = 5;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Top = 0x70_1000;
    private const ulong Fifth = 0x70_5000;
    private const ulong FiveLevels = 1UL << 54; // GuestPagingMode, bits 183:182
    private const ulong Features = Mmio.BuiltEfr | Mmio.GTSup | 1UL << 12 | 1UL << 53 | 1UL << 61;
    private const ulong NoMarks = 1UL << 48 | 1UL << 54;
    private const ulong InvalidatePages = 3UL << 60;

    private readonly TestMachine _machine = new(Features);

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    public void Dispose() => _machine.Dispose();

    /// <summary>Reading 9: each guest table is read through the host's table, whose IR must be set.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void AGuestTableThatTheHostMayNotReadIsRefusedAtEveryLevel(WalkStrategy strategy)
    {
        ulong host = Map();
        for (ulong level = 0; level < 4; level++)
        {
            ulong table = Top + level * 0x1000;
            _machine.SetEntry(host, 3, table, 1, Bits.Pte(table, Bits.IW));
            using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
            TranslationResult[] results = Ask(port, Access.Write, 0x1000, 0x1000, 0x2000, 0x1000, 0x2000);
            Assert.All(results, result => Assert.Equal(
                (FaultReason.PermissionDenied, TranslationStage.Host, table), (result.Reason, result.Stage, result.Address & ~0xFFFUL)));
            _machine.SetEntry(host, 3, table, 1, Bits.Pte(table));
        }
    }

    /// <summary>What caches know of an address of the upper half, whose sign their keys do without, is not for others.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void AnAddressThatLacksOnlyItsSignIsRefused(WalkStrategy strategy)
    {
        ulong host = Map();
        _machine.Poke(Top + 511 * 8, (Top + 0x1000) | 0x67);
        _machine.Poke(Gcr3 + 8, Top | 1); // PASID 0 alone has addresses without signs
        CheckSigns(strategy, 0xFFFF_FF80_0000_1000);

        _machine.SetEntry(host, 3, Fifth, 1, Bits.Pte(Fifth));
        _machine.Poke(Fifth + 511 * 8, Top | 0x67);
        _machine.Poke(Gcr3 + 8, Fifth | 1);
        _machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), Domain | Bits.GuestMiddle(Gcr3), FiveLevels);
        _machine.SendAndWait(Bits.InvalidateDevice(Device), Bits.InvalidateAll());
        CheckSigns(strategy, 0xFFFF_FF80_0000_1000);
    }

    private void CheckSigns(WalkStrategy strategy, ulong upper)
    {
        foreach (CacheOptions caches in new CacheOptions[] { new(), new() { IotlbSets = 0 } })
        {
            using TranslationPort port = _machine.Iommu.OpenPort(caches, strategy);
            for (int round = 0; round < 3; round++)
            {
                Assert.All(AskOne(port, upper), result => Assert.Equal(0x10_0000UL, result.Address));
            }

            foreach (int bits in (int[])[48, 52, 57, 63])
            {
                Assert.All(AskOne(port, upper & ((1UL << bits) - 1)), result => Assert.False(result.Succeeded));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void AGuestPageCachedInPiecesGoesAsAWhole(WalkStrategy strategy)
    {
        ulong host = Map();
        _machine.Poke(Top + 0x2000 + 8, 0x67 | 0x80 | 0x20_0000); // 2 MiB over pages of 4 KiB
        for (ulong page = 0; page < 4; page++)
        {
            _machine.SetEntry(host, 3, 0x20_0000 + (page << 12), 1, Bits.Pte(0x5000_0000 + (page << 16)));
            _machine.SetEntry(host, 3, 0x60_0000 + (page << 12), 1, Bits.Pte(0x6000_0000 + (page << 16)));
        }

        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        ulong[] iovas = [0x20_0000, 0x20_1000, 0x20_2000, 0x20_3000, 0x20_0000];
        for (int round = 0; round < 3; round++)
        {
            Assert.Equal([0x5000_0000UL, 0x5001_0000, 0x5002_0000, 0x5003_0000, 0x5000_0000], Ask(port, Access.Read, iovas).Select(r => r.Address));
        }

        Assert.All(Ask(port, Access.Read, iovas), result => Assert.Equal(12, result.PageShift));
        _machine.Poke(Top + 0x2000 + 8, 0x67 | 0x80 | 0x60_0000);
        _machine.SendAndWait((InvalidatePages | Domain << 32, 0x20_1000 | 4)); // one piece, GN=1, PASID 0
        Assert.Equal([0x6000_0000UL, 0x6001_0000, 0x6002_0000, 0x6003_0000, 0x6000_0000], Ask(port, Access.Read, iovas).Select(r => r.Address));
    }

    [Theory]
    [MemberData(nameof(Strategies))]
    public void APageOfAGibibyteGoesWithAnyPartOfIt(WalkStrategy strategy) => CheckLarge(strategy, 3, 30);

    [Theory]
    [MemberData(nameof(Strategies))]
    public void APageOfTwoMebibytesGoesWithAnyPartOfIt(WalkStrategy strategy) => CheckLarge(strategy, 2, 21);

    /// <summary>What stands in a large page of either stage is data, even if each word looks like an entry of a table of small ones.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void WhatStandsInALargePageIsNoTable(WalkStrategy strategy)
    {
        const ulong large = 0xA0_0000;
        const ulong elsewhere = 0x30_0000;
        ulong host = Map();
        _machine.SetEntry(host, 3, elsewhere, 1, Bits.Pte(elsewhere));
        _machine.SetEntry(host, 3, large, 2, Bits.Pte(large));
        _machine.Poke(Top + 0x3000, 0x67 | elsewhere); // so that the table that maps it is known
        for (ulong page = 1; page < 16; page++)
        {
            _machine.Poke(Top + 0x3000 + page * 8, 0x67 | (large + (page << 12)));
        }

        ulong[] small = [0, .. Enumerable.Range(1, 15).Select(static i => (ulong)i << 12)];
        CheckData(strategy, small, [elsewhere, .. small[1..].Select(static iova => iova + large)], large, Bits.Pte(elsewhere));

        _machine.Poke(Top + 0x2000 + 8, 0x67 | 0x80 | large);
        ulong[] big = [0, .. Enumerable.Range(1, 15).Select(static i => 0x20_0000 + ((ulong)i << 12))];
        CheckData(strategy, big, [elsewhere, .. big[1..].Select(static iova => iova - 0x20_0000 + large)], large, elsewhere | 0x67);
    }

    private void CheckData(WalkStrategy strategy, ulong[] iovas, ulong[] expected, ulong page, ulong deceit)
    {
        for (ulong at = 0; at < 0x1000; at += 8)
        {
            _machine.Poke(page + at, deceit);
        }

        using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 0 }, strategy);
        for (int round = 0; round < 5; round++)
        {
            Assert.Equal(expected, Ask(port, Access.Read, iovas).Select(static result => result.Address));
        }
    }

    /// <summary>When tags run out in the middle of a batch, those taken before may not be used any more.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ABatchOfMoreDomainsThanThereAreTagsIsAnsweredRight(WalkStrategy strategy)
    {
        const int devices = 24;
        _machine.Start();
        for (uint device = 0; device < devices; device++)
        {
            ulong root = _machine.NewTable();
            _machine.SetEntry(root, 2, 0, 1, Bits.Pte(0x100_0000UL * (device + 1)));
            _machine.SetDte(device, Bits.DteLow(root, 2), device + 1);
        }

        using TranslationPort port = _machine.Iommu.OpenPort(new() { Tags = 7 }, strategy);
        TranslationRequest[] requests =
            [.. Enumerable.Range(0, 200).Select(i => new TranslationRequest(new((uint)(i * 7 % devices)), 0x10, Access.Read))];
        var results = new TranslationResult[requests.Length];
        for (int round = 0; round < 5; round++)
        {
            port.Translate(requests, results);
            for (int i = 0; i < requests.Length; i++)
            {
                Assert.Equal(0x100_0000UL * (requests[i].Device.Value + 1) + 0x10, results[i].Address);
            }
        }
    }

    private void CheckLarge(WalkStrategy strategy, int level, int shift)
    {
        _machine.Start();
        ulong root = _machine.NewTable();
        ulong page = 3UL << shift;
        _machine.SetEntry(root, 4, page, level, Bits.Pte(8UL << shift));
        _machine.SetDte(Device, Bits.DteLow(root, 4), Domain);
        using TranslationPort port = _machine.Iommu.OpenPort(new() { IotlbSets = 16 }, strategy);
        ulong size = 1UL << shift;
        ulong[] iovas = [page, page + size / 2, page + size - 0x1000, page + size / 4 + 0x3000, page + 0x20_0000 % size, page];
        var requester = new Requester(new(Device));
        var results = new TranslationResult[iovas.Length];
        for (int round = 0; round < 3; round++)
        {
            port.Translate(requester, iovas, Access.Read, results);
            Assert.Equal(iovas.Select(iova => iova - page + (8UL << shift)), results.Select(result => result.Address));
            Assert.All(results, result => Assert.Equal(shift, result.PageShift));
        }

        _machine.SetEntry(root, 4, page, level, Bits.Pte(9UL << shift));
        _machine.SendAndWait((InvalidatePages | Domain << 32, (page + size / 2) | 0)); // 4 KiB in the middle
        port.Translate(requester, iovas, Access.Read, results);
        Assert.Equal(iovas.Select(iova => iova - page + (9UL << shift)), results.Select(result => result.Address));
    }

    /// <summary>Guest tables mapped one to one in single pages, with two pages behind them.</summary>
    private ulong Map()
    {
        _machine.Start(Mmio.GTEn | NoMarks);
        ulong host = _machine.NewTable();
        for (ulong level = 0; level < 4; level++)
        {
            ulong table = Top + level * 0x1000;
            _machine.SetEntry(host, 3, table, 1, Bits.Pte(table));
            _machine.Poke(table, level < 3 ? (table + 0x1000) | 0x67 : 0);
        }

        _machine.Poke(Top + 0x3000 + 8, 0x10_0067);
        _machine.Poke(Top + 0x3000 + 16, 0x20_0067);
        _machine.SetEntry(host, 3, 0x10_0000, 1, Bits.Pte(0x10_0000));
        _machine.SetEntry(host, 3, 0x20_0000, 1, Bits.Pte(0x20_0000));
        _machine.Poke(Gcr3, Top | 1);
        _machine.SetDte(Device, Bits.DteLow(host, 3) | Bits.GuestLow(Gcr3), Domain | Bits.GuestMiddle(Gcr3));
        return host;
    }

    private static TranslationResult[] Ask(TranslationPort port, Access access, params ulong[] iovas)
    {
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(Device), 0), iovas, access, results);
        return results;
    }

    private static TranslationResult[] AskOne(TranslationPort port, ulong iova)
    {
        var results = new TranslationResult[16];
        port.Translate(new Requester(new(Device), 1), [.. Enumerable.Repeat(iova, results.Length)], Access.Read, results);
        return results;
    }
}
