using FastNest.Caches;
using FastNest.Requests;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Caches;

/// <remarks>To replay a failure, put the seed that FsCheck printed into the attribute: <c>[Property(Replay = "(1,3)")]</c>.</remarks>
public sealed class WalkCacheTests
{
    public enum Kind
    {
        Fill,
        Lookup,
        Invalidate,
        Clear,
    }

    public static Arbitrary<Step[]> Steps()
    {
        Gen<Step> step =
            from kind in Gen.Frequency((6, Gen.Constant(Kind.Fill)), (8, Gen.Constant(Kind.Lookup)), (4, Gen.Constant(Kind.Invalidate)), (1, Gen.Constant(Kind.Clear)))
            from tag in Gen.Elements(1u, 2u, 77u)
            from level in Gen.Choose(1, 6)
            from shift in Gen.Elements(12, 13, 20, 21, 22, 30, 39)
            from place in Gen.Elements(0UL, 0x1000UL, 0x20_0000UL, 0x4000_0000UL, 0x4020_0000UL, 0x80_0000_0000UL, 1UL << 48, 1UL << 57, 1UL << 63)
            from low in Gen.Elements(0UL, 0x1000UL, 0x2000UL)
            select new Step(kind, tag, level, place + low, shift);
        return step.ArrayOf().ToArbitrary();
    }

    [Property(Arbitrary = [typeof(WalkCacheTests)], MaxTest = 400)]
    public void AHitIsATableThatWasFilledOnTheWayToTheAddressAndNotInvalidated(Step[] steps)
    {
        foreach (int entries in new[] { 0, 1, 2, 4096 })
        {
            var cache = new WalkCache(entries);
            var model = new Dictionary<(uint Tag, int Level, ulong Number), ulong>();
            ulong address = 0;
            foreach ((Kind kind, uint tag, int level, ulong at, int shift) in steps)
            {
                switch (kind)
                {
                    case Kind.Fill:
                        address += 0x1000;
                        cache.Fill(tag, at, new(address, address ^ 0xABC000, (byte)level, Access.Read));
                        if (level < 6)
                        {
                            model[(tag, level, at >> (12 + 9 * level))] = address; // a table of level 6 is a root: never kept
                            Assert.Equal(entries > 0, cache.TryGet(tag, at, out _));
                        }

                        break;
                    case Kind.Lookup:
                        if (cache.TryGet(tag, at, out CachedTable table))
                        {
                            Assert.True(model.TryGetValue((tag, table.Level, at >> (12 + 9 * table.Level)), out ulong filled));
                            Assert.Equal(new CachedTable(filled, filled ^ 0xABC000, table.Level, Access.Read), table);
                        }

                        break;
                    case Kind.Invalidate when cache.TryInvalidate(tag, at & ~((1UL << shift) - 1), shift):
                        foreach (var key in model.Keys.Where(key => key.Tag == tag && Overlap(key.Number, 12 + 9 * key.Level, at, shift)).ToArray())
                        {
                            model.Remove(key);
                        }

                        break;
                    case Kind.Clear:
                        cache.Clear();
                        model.Clear();
                        break;
                }
            }
        }
    }

    [Fact]
    public void TheLowestTableIsFound()
    {
        var cache = new WalkCache(4096);
        cache.Fill(1, 0, new(0x3000, 0x3000, 3, Access.All));
        cache.Fill(1, 0, new(0x1000, 0x1000, 1, Access.Read));
        Assert.True(cache.TryGet(1, 0x1F_F000, out CachedTable table));
        Assert.Equal(1, table.Level);
        Assert.True(cache.TryGet(1, 0x20_0000, out table));
        Assert.Equal(3, table.Level);
        Assert.False(cache.TryGet(1, 1UL << 39, out _));
        Assert.False(cache.TryGet(2, 0, out _));
    }

    private static bool Overlap(ulong number, int reach, ulong at, int shift)
    {
        int larger = Math.Max(reach, shift);
        return (number << reach) >> larger == at >> larger;
    }

    public sealed record Step(Kind Kind, uint Tag, int Level, ulong Address, int Shift);
}
