using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>What batches have cached goes with what an invalidation names, whatever the strategy and the size of the page.</summary>
public sealed class BatchInvalidationTests : IDisposable
{
    private const uint Device = 9;
    private const ushort Domain = 5;

    /// <summary>A cache that has answered nothing is asked again only in the sixteenth batch after.</summary>
    private const int Rounds = 20;

    private readonly TestMachine _machine = new();
    private readonly ulong _root;

    public BatchInvalidationTests()
    {
        _machine.Start();
        _root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(_root, 5), Domain);
    }

    public static TheoryData<WalkStrategy, int> Sizes
    {
        get
        {
            var data = new TheoryData<WalkStrategy, int>();
            foreach (WalkStrategy strategy in WalkStrategies.Supported)
            {
                foreach (int shift in new[] { 13, 16, 20, 21, 22, 25, 29, 30, 31, 34, 38, 39 })
                {
                    data.Add(strategy, shift);
                }
            }

            return data;
        }
    }

    public static TheoryData<WalkStrategy> Strategies => new(WalkStrategies.Supported);

    public void Dispose() => _machine.Dispose();

    [Theory]
    [MemberData(nameof(Sizes))]
    public void APageGoesWithAnyPartOfIt(WalkStrategy strategy, int shift)
    {
        ulong size = 1UL << shift;
        ulong page = 6 * size;
        ulong[] iovas = [.. Enumerable.Range(0, 16).Select(part => page + (size / 16 * (ulong)part & ~0xFFFUL) + 8), page, page + size - 1];
        foreach (ulong named in new[] { page, page + size / 2, page + size - 0x1000 })
        {
            using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
            Put(page, shift, 2 * size);
            for (int round = 0; round < Rounds; round++)
            {
                Check(port, iovas, page, 2 * size, shift);
            }

            Put(page, shift, 3 * size);
            _machine.SendAndWait(Bits.InvalidatePages(Domain, named, false));
            Check(port, iovas, page, 3 * size, shift);
        }
    }

    /// <summary>Too large to be looked for page by page: the whole domain goes.</summary>
    [Theory]
    [MemberData(nameof(Sizes))]
    public void ARangeTakesAllPagesInIt(WalkStrategy strategy, int rangeShift)
    {
        ulong range = 1UL << rangeShift;
        ulong start = 2 * range;
        ulong[] iovas = [start, start + 0x1000, start + range - 0x1000, start + (range / 2 & ~0xFFFUL), start];
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        foreach (ulong output in new[] { 1UL << 40, 2UL << 40 })
        {
            Array.ForEach(iovas, iova => _machine.Map(_root, 5, iova, iova + output));
            _machine.SendAndWait(Bits.InvalidatePages(Domain, start | (range / 2 - 1) & ~0xFFFUL, true));
            for (int round = 0; round < Rounds; round++)
            {
                Check(port, iovas, 0, output, 12);
            }
        }
    }

    /// <summary>Two requests ask for different things of one page; what the first was granted does not cover the second.</summary>
    [Theory]
    [MemberData(nameof(Strategies))]
    public void ACachedPageGrantsItsRightsOnly(WalkStrategy strategy)
    {
        using TranslationPort port = _machine.Iommu.OpenPort(null, strategy);
        ulong[] iovas = [0x1000, 0x2000, 0x1000, 0x2000, 0x3000, 0x3000, 0x1008, 0x2008, 0x3008];
        Array.ForEach(iovas, iova => _machine.Map(_root, 5, iova, iova & ~0xFFFUL, Bits.IR));
        var results = new TranslationResult[iovas.Length];
        for (int round = 0; round < Rounds; round++)
        {
            port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
            Assert.All(results, result => Assert.True(result.Succeeded));
            port.Translate(new Requester(new(Device)), iovas, Access.Write, results);
            Assert.All(results, result => Assert.Equal(FaultReason.PermissionDenied, result.Reason));
        }
    }

    private void Put(ulong page, int shift, ulong output)
    {
        int level = (shift - 12) / 9 + 1;
        ulong entry = (shift - 12) % 9 == 0 ? Bits.Pte(output) : Bits.SizedPte(output, shift);
        ulong step = 1UL << Bits.LevelShift(level);
        for (ulong at = page; at < page + (1UL << shift); at += step)
        {
            _machine.SetEntry(_root, 5, at, level, entry);
        }
    }

    private static void Check(TranslationPort port, ulong[] iovas, ulong page, ulong output, int shift)
    {
        var results = new TranslationResult[iovas.Length];
        port.Translate(new Requester(new(Device)), iovas, Access.Read, results);
        Assert.Equal(iovas.Select(iova => iova - page + output), results.Select(result => result.Address));
        Assert.All(results, result => Assert.Equal(shift, result.PageShift));
    }
}
