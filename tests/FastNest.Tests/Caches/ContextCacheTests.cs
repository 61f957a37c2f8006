using FastNest.Caches;
using Xunit;

namespace FastNest.Tests.Caches;

public sealed class ContextCacheTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(256)]
    public void AnEntryHoldsOnlyTheDeviceAndPasidItWasFilledFor(int entries)
    {
        var cache = new ContextCache<int>(entries);
        Assert.False(cache.Find(new(0), 0).Holds(new(0), 0), "an empty entry is not device 0");
        for (uint device = 0; device < 40; device++)
        {
            foreach (uint pasid in new[] { TagTable.NoPasid, 0u, 5u })
            {
                ref ContextCache<int>.Entry entry = ref cache.Find(new(device), pasid);
                entry = new() { Device = new(device), Pasid = pasid, Context = (int)device, FilledAt = 1 };
                Assert.True(cache.Find(new(device), pasid).Holds(new(device), pasid));
                Assert.False(entry.Holds(new(device + 1), pasid));
                Assert.False(entry.Holds(new(device), pasid + 1));
            }
        }

        cache.Clear();
        for (uint device = 0; device < 40; device++)
        {
            Assert.False(cache.Find(new(device), 0).Holds(new(device), 0));
        }
    }

    [Fact]
    public void AnEntryThatWasNotFilledHoldsNothing()
    {
        var cache = new ContextCache<int>(1);
        cache.Find(new(3), 0) = new() { Device = new(3), Pasid = 0, FilledAt = 0 };
        Assert.False(cache.Find(new(3), 0).Holds(new(3), 0));
    }
}
