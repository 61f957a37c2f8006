using FastNest.Caches;
using FastNest.Requests;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Caches;

/// <remarks>To replay a failure, put the seed that FsCheck printed into the attribute: <c>[Property(Replay = "(1,3)")]</c>.</remarks>
public sealed class PageCacheTests
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
        // Few tags, few places, sizes that nest.
        Gen<Step> step =
            from kind in Gen.Frequency((6, Gen.Constant(Kind.Fill)), (8, Gen.Constant(Kind.Lookup)), (4, Gen.Constant(Kind.Invalidate)), (1, Gen.Constant(Kind.Clear)))
            from tag in Gen.Elements(1u, 2u, 0x8000_0001u)
            from shift in Gen.Elements(12, 12, 13, 16, 18, 19, 21, 22, 30, 48, 52)
            from low in Gen.Choose(0, 40)
            from high in Gen.Elements(0UL, 0UL, 1UL << 21, 1UL << 40, 0xFFF0_0000_0000_0000)
            select new Step(kind, tag, high + ((ulong)low << 12) + 0x34, shift);
        return step.ArrayOf().ToArbitrary();
    }

    [Property(Arbitrary = [typeof(PageCacheTests)], MaxTest = 400)]
    public void AHitIsAPageThatWasFilledLastAndNotInvalidatedSince(Step[] steps)
    {
        foreach ((int sets, int ways) in new[] { (1, 1), (1, 2), (4, 1), (0, 4), (64, 4) })
        {
            var cache = new PageCache(sets, ways);
            var model = new Dictionary<(uint Tag, ulong Base, int Shift), ulong>();
            ulong output = 0;
            foreach (Step step in steps)
            {
                switch (step.Kind)
                {
                    case Kind.Fill:
                        output += 1UL << 52;
                        cache.Fill(step.Tag, step.Address, new(output, (byte)step.Shift, Access.Read, Access.None));
                        model[(step.Tag, step.Base, step.Shift)] = output;
                        Assert.Equal(sets > 0, cache.TryGet(step.Tag, step.Address, out _));
                        break;
                    case Kind.Lookup:
                        if (cache.TryGet(step.Tag, step.Address, out CachedPage page))
                        {
                            ulong start = step.Address & ~((1UL << page.Shift) - 1);
                            Assert.True(model.TryGetValue((step.Tag, start, page.Shift), out ulong filled));
                            Assert.Equal(new CachedPage(filled, page.Shift, Access.Read, Access.None), page);
                        }

                        break;
                    case Kind.Invalidate when cache.TryInvalidate(step.Tag, step.Base, step.Shift):
                        Drop(model, step);
                        break;
                    case Kind.Clear:
                        cache.Clear();
                        model.Clear();
                        break;
                }
            }
        }
    }

    [Property(Arbitrary = [typeof(PageCacheTests)], MaxTest = 200)]
    public void ALargeCacheForgetsOnlyWhatItMust(Step[] steps)
    {
        var cache = new PageCache(1 << 14, 16);
        var model = new Dictionary<(uint Tag, ulong Base, int Shift), ulong>();
        foreach (Step step in steps)
        {
            switch (step.Kind)
            {
                case Kind.Fill:
                    cache.Fill(step.Tag, step.Address, new(1UL << 52, (byte)step.Shift, Access.Read, Access.None));
                    model[(step.Tag, step.Base, step.Shift)] = 0;
                    break;
                case Kind.Invalidate when cache.TryInvalidate(step.Tag, step.Base, step.Shift):
                    Drop(model, step);
                    break;
                case Kind.Clear:
                    cache.Clear();
                    model.Clear();
                    break;
            }

            foreach (((uint tag, ulong start, int shift), _) in model)
            {
                Assert.True(cache.TryGet(tag, start + 0x34, out _), $"lost {tag}:{start:x}/{shift} after {step}");
            }
        }
    }

    [Fact]
    public void ALookupTriesTheSmallestPageFirst()
    {
        var cache = new PageCache(64, 4);
        cache.Fill(1, 0, new(1UL << 30, 21, Access.Read, Access.None));
        cache.Fill(1, 0, new(1UL << 31, 12, Access.Write, Access.None));
        Assert.True(cache.TryGet(1, 0xFFF, out CachedPage page));
        Assert.Equal(new CachedPage(1UL << 31, 12, Access.Write, Access.None), page);
        Assert.True(cache.TryGet(1, 0x1000, out page));
        Assert.Equal(21, page.Shift);
    }

    [Fact]
    public void ABigPageGoesWithAnInvalidationOfAnyPartOfIt()
    {
        foreach (ulong part in new ulong[] { 0, 0x1000, 0x3FFF_F000 })
        {
            var cache = new PageCache(64, 4);
            cache.Fill(1, 0x1234_5678, new(1UL << 30, 30, Access.Read, Access.None));
            Assert.True(cache.TryInvalidate(1, part, 12));
            Assert.False(cache.TryGet(1, 0x1234_5678, out _));
        }
    }

    /// <summary>Either every page of the range is gone, or the cache says that it could not.</summary>
    [Fact]
    public void SmallPagesGoWithAnInvalidationAroundThemOrNothingDoes()
    {
        for (int shift = 12; shift < 64; shift++)
        {
            var cache = new PageCache(256, 4);
            ulong size = 1UL << shift;
            ulong start = 1UL << 63 & ~(size - 1);
            cache.Fill(1, start, new(0, 12, Access.Read, Access.None));
            cache.Fill(1, start + size - 0x1000, new(0, 12, Access.Read, Access.None));
            bool done = cache.TryInvalidate(1, start, shift);
            Assert.Equal(shift <= 18, done);
            Assert.Equal(!done, cache.TryGet(1, start, out _));
            Assert.Equal(!done, cache.TryGet(1, start + size - 0x1000, out _));
        }
    }

    [Theory]
    [InlineData(Access.All, Access.None, Access.Write, true)]
    [InlineData(Access.Read, Access.None, Access.Write, false)]
    [InlineData(Access.All, Access.Write, Access.Write, false)]
    [InlineData(Access.All, Access.Write, Access.Read, true)]
    public void APageGrantsItsRightsWithoutWhatIsWithheld(Access rights, Access withheld, Access need, bool expected) =>
        Assert.Equal(expected, new CachedPage(0, 12, rights, withheld).Grants(need));

    private static void Drop(Dictionary<(uint Tag, ulong Base, int Shift), ulong> model, Step step)
    {
        foreach ((uint, ulong, int) key in model.Keys.Where(key => key.Tag == step.Tag && Overlap(key.Base, key.Shift, step.Base, step.Shift)).ToArray())
        {
            model.Remove(key);
        }
    }

    private static bool Overlap(ulong start, int shift, ulong otherStart, int otherShift)
    {
        int larger = Math.Max(shift, otherShift);
        return start >> larger == otherStart >> larger;
    }

    public sealed record Step(Kind Kind, uint Tag, ulong Address, int Shift)
    {
        public ulong Base => Address & ~((1UL << Shift) - 1);
    }
}
