using FastNest.Lanes;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Memory;

/// <summary>Which addresses lanes may load by themselves: one too many would be a load from anywhere in the host.</summary>
public sealed class PhysicalRunTests
{
    [Fact]
    public void PortableLanesLoadFromTheRunOnly() => Check<PortableLanes>();

    [Fact]
    public void GroupedLanesLoadFromTheRunOnly() => Check<GroupedLanes>();

    [Fact]
    public void Avx2LanesLoadFromTheRunOnly()
    {
        if (Avx2Lanes.IsSupported)
        {
            Check<Avx2Lanes>();
        }
    }

    [Fact]
    public void Avx512LanesLoadFromTheRunOnly()
    {
        if (Avx512Lanes.IsSupported)
        {
            Check<Avx512Lanes>();
        }
    }

    private static void Check<TLanes>()
        where TLanes : struct, ILanes<TLanes>
    {
        const ulong start = 0x10_0000;
        const ulong length = 0x100_0000;
        const ulong host = 0x7F00_0000_0000;
        var run = new PhysicalRun(start, length, unchecked((nint)host));
        ulong[] addresses = [0, start - 8, start, start + length - 8, start + length, 1UL << 63, ulong.MaxValue - 7, length];
        for (int first = 0; first < addresses.Length; first += TLanes.Count)
        {
            var pointers = new ulong[TLanes.Count];
            TLanes.Store(run.Resolve(TLanes.Load(in addresses[first], 0), out uint inside), ref pointers[0], 0);
            for (int i = 0; i < TLanes.Count; i++)
            {
                ulong address = addresses[first + i];
                Assert.Equal(address is >= start and < start + length, (inside >> i & 1) != 0);
                Assert.Equal((inside >> i & 1) != 0, run.Contains(address));
                Assert.True((inside >> i & 1) == 0 || pointers[i] == host + (address - start), $"{address:x}");
            }
        }

        ulong[] within = [.. Enumerable.Range(0, TLanes.Count).Select(i => start + (ulong)i * 8)];
        var found = new ulong[TLanes.Count];
        TLanes.Store(run.Resolve(TLanes.Load(in within[0], 0)), ref found[0], 0);
        Assert.Equal(within.Select(address => host + (address - start)), found);

        run = PhysicalRun.None;
        Assert.False(run.Contains(0));
        run.Resolve(TLanes.All(0), out uint none);
        Assert.Equal(0u, none);
    }
}
