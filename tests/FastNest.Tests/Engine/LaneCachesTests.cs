using FastNest.Caches;
using FastNest.Engine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class LaneCachesTests
{
    private const uint Tag = 3;
    private const ulong Tagged = (ulong)Tag << DirectCache.TagShift;
    private const ulong Address = 5UL << 30;

    private readonly LaneCaches _caches = new(new());

    private DirectCache[] All => [_caches.Small, _caches.Large, _caches.Huge, _caches.GuestTables, _caches.HostTables];

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

    private bool IsTables(DirectCache cache) => cache == _caches.GuestTables || cache == _caches.HostTables;

    private void Fill() => Array.ForEach(All, cache => cache.Fill(cache.KeyOf(Tagged, Address), 1, cache.Granule));
}
