using FastNest.Engine;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class CacheOptionsTests
{
    public static TheoryData<string, int, Func<int, CacheOptions>> Sizes => new()
    {
        { nameof(CacheOptions.ContextEntries), 1 << 16, static size => new() { ContextEntries = size } },
        { nameof(CacheOptions.IotlbSets), 1 << 20, static size => new() { IotlbSets = size } },
        { nameof(CacheOptions.NestedTlbSets), 1 << 20, static size => new() { NestedTlbSets = size } },
        { nameof(CacheOptions.GuestTableEntries), 1 << 20, static size => new() { GuestTableEntries = size } },
        { nameof(CacheOptions.HostTableEntries), 1 << 20, static size => new() { HostTableEntries = size } },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void ASizeIsZeroOrAPowerOfTwoUpToItsLimit(string name, int limit, Func<int, CacheOptions> with)
    {
        using var machine = new TestMachine();
        foreach (int size in new[] { 0, 1, 2, 64 })
        {
            machine.Iommu.OpenPort(with(size)).Dispose();
        }

        machine.Iommu.OpenPort(with(limit) with { IotlbWays = 1, NestedTlbWays = 1 }).Dispose();
        foreach (int size in new[] { -1, 3, 65, limit + 1, limit * 2, int.MinValue, int.MaxValue })
        {
            var exception = Assert.Throws<ArgumentOutOfRangeException>(() => machine.Iommu.OpenPort(with(size)));
            Assert.Equal(name, exception.ParamName);
            Assert.Equal(size, exception.ActualValue);
            Assert.Contains(limit.ToString(System.Globalization.CultureInfo.InvariantCulture), exception.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(16, true)]
    [InlineData(17, false)]
    [InlineData(-4, false)]
    public void WaysAreOneToSixteen(int ways, bool legal)
    {
        using var machine = new TestMachine();
        foreach ((string name, CacheOptions options) in new (string, CacheOptions)[]
        {
            (nameof(CacheOptions.IotlbWays), new() { IotlbWays = ways }), (nameof(CacheOptions.NestedTlbWays), new() { NestedTlbWays = ways }),
        })
        {
            if (legal)
            {
                machine.Iommu.OpenPort(options).Dispose();
            }
            else
            {
                Assert.Equal(name, Assert.Throws<ArgumentOutOfRangeException>(() => machine.Iommu.OpenPort(options)).ParamName);
            }
        }
    }

    [Fact]
    public void WithoutCachesEveryChangeIsSeenAtOnce()
    {
        using TestMachine machine = new TestMachine { Caches = CacheOptions.None }.Start();
        ulong root = machine.NewTable();
        machine.SetDte(1, Bits.DteLow(root, 2), 5);
        ulong leaf = machine.Map(root, 2, 0, 0x10_0000);
        Assert.Equal(0x10_0000UL, machine.Translate(1, 0).Address);
        machine.Poke(leaf, Bits.Pte(0x20_0000));
        Assert.Equal(0x20_0000UL, machine.Translate(1, 0).Address);
        machine.SetDte(1, Bits.DteLow(root, 2, Bits.IW), 5);
        Assert.False(machine.Translate(1, 0).Succeeded);
    }
}
