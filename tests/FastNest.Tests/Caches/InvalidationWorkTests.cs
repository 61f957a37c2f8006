using System.Reflection;
using System.Runtime.InteropServices;
using FastNest.Caches;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Caches;

/// <summary>
/// The invalidation of a page costs the same however much is cached. Every place of a cache is given what is looked for, also
/// where it could never stand: as many as are dropped were looked at, and whoever looks through the whole cache drops all.
/// </summary>
public sealed class InvalidationWorkTests
{
    private const uint Tag = 5;
    private const ulong Address = 0x1234_5000;
    private const int Ways = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(4096)]
    public void APageCacheLooksAtOneSetForEachSize(int sets)
    {
        var cache = new PageCache(sets, Ways);
        cache.Fill(Tag, 0x4000_0000, new(0, 21, Access.All, Access.None)); // a second size, to be looked for too
        cache.Fill(Tag, Address, new(0x8000, 12, Access.All, Access.None));
        FillEveryPlace(cache, sets * Ways);
        Assert.True(cache.TryInvalidate(Tag, Address, 12));
        Assert.Equal(Ways, cache.Counters.Invalidations);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(4096)]
    public void AWalkCacheLooksAtOnePlaceForEachLevel(int entries)
    {
        var cache = new WalkCache(entries);
        cache.Fill(Tag, Address, new(0x8000, 0x8000, 2, Access.All));
        cache.Fill(Tag, Address, new(0x9000, 0x9000, 1, Access.All));
        FillEveryPlace(cache, entries);
        Assert.True(cache.TryInvalidate(Tag, Address, 12));
        Assert.Equal(1, cache.Counters.Invalidations);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(4096)]
    public void ADirectCacheLooksAtOnePlaceForEachGranule(int entries)
    {
        var cache = new DirectCache(entries, 12);
        ulong key = cache.KeyOf((ulong)Tag << DirectCache.TagShift, Address);
        cache.Fill(key, 1, 13); // two granules: the neighbour is looked for too
        for (int place = 0; place < entries; place++)
        {
            Marshal.WriteInt64(cache.Table, place * 2 * sizeof(ulong), (long)key);
        }

        Assert.True(cache.TryInvalidate((ulong)Tag << DirectCache.TagShift, Address, 12));
        Assert.Equal(1, cache.Counters.Invalidations);
    }

    /// <summary>What would take more than 512 looks is left to the owner, who drops the tag.</summary>
    [Theory]
    [InlineData(12, 21, true)]
    [InlineData(12, 22, false)]
    [InlineData(21, 30, true)]
    [InlineData(21, 31, false)]
    public void ADirectCacheLooksAt512PlacesAtMost(int granule, int rangeShift, bool done)
    {
        var cache = new DirectCache(1 << 16, granule);
        cache.Fill(cache.KeyOf((ulong)Tag << DirectCache.TagShift, 0), 1, granule);
        Assert.Equal(done, cache.TryInvalidate((ulong)Tag << DirectCache.TagShift, 0, rangeShift));
    }

    /// <summary>Puts the last entry filled into every place.</summary>
    private static void FillEveryPlace(object cache, int count)
    {
        FieldInfo field = cache.GetType().GetField("_entries", BindingFlags.Instance | BindingFlags.NonPublic)!;
        var entries = (Array)field.GetValue(cache)!;
        Assert.Equal(count, entries.Length);
        object wanted = entries.Cast<object>().Single(static entry => Field(entry, "Number") is Address >> 12 or Address >> 21 && Field(entry, "Tag") is Tag);
        for (int place = 0; place < count; place++)
        {
            entries.SetValue(wanted, place);
        }

        static object? Field(object entry, string name) => entry.GetType().GetField(name)!.GetValue(entry);
    }
}
