using FastNest.Caches;
using FastNest.Lanes;
using Xunit;

namespace FastNest.Tests.Caches;

public sealed class DirectCacheTests
{
    private const ulong Tag = 3UL << DirectCache.TagShift;
    private const ulong Page = 0x7F_1234_0000;

    /// <summary>Pages below 2 MiB come in single granules, and whoever changes one may name any part of it.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(15)]
    public void DroppingOnePartOfAPageDropsAllOfIt(int named)
    {
        var cache = new DirectCache(64, 12);
        for (ulong part = 0; part < 16; part++)
        {
            cache.Fill(cache.KeyOf(Tag, Page + (part << 12)), 1 + part, 16);
        }

        Assert.Equal(16, Known(cache, 16));
        Assert.True(cache.TryInvalidate(Tag, Page + ((ulong)named << 12), 12));
        Assert.Equal(0, Known(cache, 16));
    }

    [Fact]
    public void ARangeTakesItsOwnPagesOnly()
    {
        var cache = new DirectCache(64, 12);
        for (ulong part = 0; part < 16; part++)
        {
            cache.Fill(cache.KeyOf(Tag, Page + (part << 12)), 1 + part, 12);
        }

        Assert.True(cache.TryInvalidate(Tag, Page + 0x4000, 14));
        Assert.Equal([.. Enumerable.Range(0, 16).Where(part => part / 4 != 1)], Enumerable.Range(0, 16).Where(part => Knows(cache, Tag, part)));
    }

    [Fact]
    public void ARangeOfTooManyPagesIsLeftToTheOwner()
    {
        var cache = new DirectCache(64, 12);
        cache.Fill(cache.KeyOf(Tag, Page), 1, 12);
        Assert.False(cache.TryInvalidate(Tag, Page & ~0x3F_FFFFUL, 22));
        Assert.True(Knows(cache, Tag, 0));
        cache.Clear();
        Assert.False(Knows(cache, Tag, 0));
        Assert.False(cache.IsFilled);
        Assert.True(cache.TryInvalidate(Tag, Page & ~0x3F_FFFFUL, 22));
    }

    /// <summary>The sign of a canonical address would stand where the tag does.</summary>
    [Theory]
    [InlineData(12)]
    [InlineData(21)]
    [InlineData(30)]
    public void SignsOfAddressesDoNotReachTheTag(int granule)
    {
        var cache = new DirectCache(64, granule);
        const ulong address = 0xFFFF_FFFF_FFE0_0000;
        Assert.Equal(Tag, cache.KeyOf(Tag, address) & ~((1UL << DirectCache.TagShift) - 1));
        Assert.NotEqual(cache.KeyOf(Tag, address), cache.KeyOf(2 * Tag, address));
        Assert.Equal((address & ((1UL << DirectCache.AddressBits) - 1)) >> granule, cache.KeyOf(0, address));
    }

    [Fact]
    public void WhatPortableLanesKeepIsFoundAndDropped() => CheckLanes<PortableLanes>();

    [Fact]
    public void WhatGroupedLanesKeepIsFoundAndDropped() => CheckLanes<GroupedLanes>();

    [Fact]
    public void WhatAvx2LanesKeepIsFoundAndDropped()
    {
        if (Avx2Lanes.IsSupported)
        {
            CheckLanes<Avx2Lanes>();
        }
    }

    [Fact]
    public void WhatAvx512LanesKeepIsFoundAndDropped()
    {
        if (Avx512Lanes.IsSupported)
        {
            CheckLanes<Avx512Lanes>();
        }
    }

    /// <summary>Lanes and single requests must mean the same place by the same key.</summary>
    private static void CheckLanes<TLanes>()
        where TLanes : struct, ILanes<TLanes>
    {
        ulong[] tags = [.. Enumerable.Range(1, TLanes.Count).Select(i => (ulong)i * 0x1357 << DirectCache.TagShift)];
        ulong[] addresses = [.. Enumerable.Range(1, TLanes.Count).Select(i => 0xFFFF_F000_0000_0000 + (ulong)i * 0x3_4567_8000)];
        ulong[] values = [.. addresses.Select(address => address ^ 0xABC)];
        var cache = new DirectCache(1024, 12);
        TLanes keys = cache.KeyOf(TLanes.Load(in tags[0], 0), TLanes.Load(in addresses[0], 0));
        for (int i = 0; i < TLanes.Count; i++)
        {
            Assert.Equal(cache.KeyOf(tags[i], addresses[i]), Stored(keys)[i]);
        }

        const uint kept = 0b10101101;
        cache.Fill(keys, TLanes.Load(in values[0], 0), kept & ((1u << TLanes.Count) - 1), 16);
        for (int i = 0; i < TLanes.Count; i++)
        {
            cache.Probe(keys, out TLanes found, out TLanes value);
            bool isKept = (kept >> i & 1) != 0;
            Assert.Equal(isKept, Stored(found)[i] == Stored(keys)[i]);
            Assert.True(!isKept || Stored(value)[i] == values[i]);
            Assert.True(cache.TryInvalidate(tags[i], (addresses[i] & ~0xFFFUL) ^ 0x1000, 12));
            cache.Probe(keys, out found, out _);
            Assert.NotEqual(Stored(keys)[i], Stored(found)[i]);
        }
    }

    private static ulong[] Stored<TLanes>(TLanes value)
        where TLanes : struct, ILanes<TLanes>
    {
        var stored = new ulong[TLanes.Count];
        TLanes.Store(value, ref stored[0], 0);
        return stored;
    }

    private static int Known(DirectCache cache, int parts) => Enumerable.Range(0, parts).Count(part => Knows(cache, Tag, part));

    private static bool Knows(DirectCache cache, ulong tag, int part)
    {
        ulong[] keys = [.. Enumerable.Repeat(cache.KeyOf(tag, Page + ((ulong)part << 12)), PortableLanes.Count)];
        cache.Probe(PortableLanes.Load(in keys[0], 0), out PortableLanes found, out _);
        return Stored(found)[0] == keys[0];
    }

    /// <summary>Callers ask first; who forgets must not write anywhere else.</summary>
    [Fact]
    public void ACacheOfNothingHasAPlaceToWriteTo()
    {
        for (int i = 0; i < 64; i++)
        {
            var cache = new DirectCache(0, 12);
            Assert.False(cache.IsOn);
            cache.Fill(ulong.MaxValue - (ulong)i, 1, 12);
            Assert.True(cache.TryInvalidate(0, 0, 12));
            cache.Clear();
        }
    }
}
