using FastNest.Caches;
using FastNest.Engine;
using FastNest.Lanes;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class LaneCachesTests
{
    private const uint Tag = 3;
    private const ulong Tagged = (ulong)Tag << DirectCache.TagShift;
    private const ulong Address = 5UL << 30;

    private readonly LaneCaches _caches = new(new());

    private DirectCache[] All => [_caches.Small, _caches.Second, _caches.Large, _caches.Huge, _caches.GuestTables, _caches.HostTables];

    /// <summary>After that tags are given anew, and nothing may be found under them.</summary>
    [Fact]
    public void ClearingForgetsEveryCache()
    {
        Fill();
        _caches.Clear();
        Assert.All(All, cache => Assert.False(cache.IsFilled));
    }

    [Fact]
    public void AnInvalidationReachesPagesOfEverySizeAndTheTablesOfItsStage()
    {
        foreach (DirectCache tables in new[] { _caches.GuestTables, _caches.HostTables })
        {
            Fill();
            long[] before = [.. All.Select(cache => cache.Counters.Invalidations)];
            Assert.True(_caches.TryInvalidate(Tag, Address, 12, tables));
            Assert.Equal(
                All.Select(cache => cache == tables || !IsTables(cache) ? 1L : 0),
                All.Select((cache, i) => cache.Counters.Invalidations - before[i]));
        }
    }

    [Fact]
    public void APageIsKeptByItsSize()
    {
        Assert.Equal([_caches.Small, _caches.Small, _caches.Large, _caches.Large, _caches.Huge], new[] { 12, 20, 21, 29, 30 }.Select(_caches.Of));
    }

    /// <summary>Pages as far apart as the first cache is large meet in one place of it, and in different ones of the second.</summary>
    [Fact]
    public void PagesThatGiveWayAreFoundInTheSecondCache()
    {
        const int pages = 8;
        ulong[] apart = [.. Enumerable.Range(0, pages).Select(static i => (ulong)i << 24)];
        foreach (ulong address in apart)
        {
            _caches.Small.Keep(Tagged, address, PackedPage.Of(address + 0x1000, 12, Access.Read));
        }

        Assert.Equal((pages, 0L), (_caches.Small.Counters.Fills, _caches.Small.Counters.Evictions));
        Assert.Equal((0L, 0L), (_caches.Second.Counters.Fills, _caches.Second.Counters.Evictions));
        Assert.Equal([.. Enumerable.Repeat(false, pages - 1), true], apart.Select(address => Knows(_caches.Small, address)));
        Assert.Equal([.. Enumerable.Repeat(true, pages - 1), false], apart.Select(address => Knows(_caches.Second, address)));
        Assert.True(_caches.TryInvalidate(Tag, apart[2], 12, _caches.HostTables));
        Assert.False(Knows(_caches.Second, apart[2]));
        Assert.True(Knows(_caches.Second, apart[1]));
    }

    /// <summary>A cache of one page is that, whatever stands behind it.</summary>
    [Fact]
    public void TheSmallestIotlbHasNoSecondCache() => Assert.False(new LaneCaches(CacheOptions.Smallest).Second.IsOn);

    private static bool Knows(DirectCache cache, ulong address)
    {
        ulong[] tags = [.. Enumerable.Repeat(Tagged, PortableLanes.Count)];
        ulong[] addresses = [.. Enumerable.Repeat(address, PortableLanes.Count)];
        PortableLanes keys = cache.KeyOf(PortableLanes.Load(in tags[0], 0), PortableLanes.Load(in addresses[0], 0));
        cache.Probe(keys, out PortableLanes found, out PortableLanes pages);
        ulong expected = PackedPage.Of(address + 0x1000, 12, Access.Read);
        return PortableLanes.Equal(found, keys) == 15 && PortableLanes.Equal(pages, PortableLanes.All(expected)) == 15;
    }

    private bool IsTables(DirectCache cache) => cache == _caches.GuestTables || cache == _caches.HostTables;

    private void Fill() => Array.ForEach(All, cache => cache.Fill(cache.KeyOf(Tagged, Address), 1, cache.Granule));
}
