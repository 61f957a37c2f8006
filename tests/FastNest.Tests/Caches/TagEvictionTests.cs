using FastNest.Caches;
using Xunit;

namespace FastNest.Tests.Caches;

public class TagEvictionTests
{
    /// <summary>Whoever loses its place is dropped as a whole, as invalidations of its pages would not find it any more.</summary>
    [Fact]
    public void AnEvictedTagsContextsDie()
    {
        const ushort domain = 3;
        var clock = new InvalidationClock();
        var tags = new TagTable(clock, uint.MaxValue);
        tags.Intern(domain, 0, new(0x1000, 0x2000));
        ulong filled = clock.Now;
        uint other = 0;
        while (tags.TryFind(domain, 0, out _))
        {
            Assert.True(clock.NestedAliveFrom(domain, 0) <= filled, $"dropped by {other}, which is elsewhere");
            tags.Intern(domain, ++other, new(0x1000, 0x2000));
            Assert.InRange(other, 1u, 100_000u);
        }

        Assert.True(clock.NestedAliveFrom(domain, 0) > filled);
    }
}
