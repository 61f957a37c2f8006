using FastNest.Memory;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Memory;

/// <summary>Regions come and go while another thread reads: it sees the region's memory or a hole, and never freed nodes.</summary>
public class RemovalRaceTests
{
    private const ulong Value = 0x0123_4567_89AB_CDEF;

    [Fact]
    public void ReadersSeeARegionOrAHole()
    {
        using var space = new GuestPhysicalSpace();
        using var stop = new CancellationTokenSource();
        long wrong = 0;
        using var reader = new Worker(() =>
        {
            for (ulong i = 0; !stop.IsCancellationRequested; i++)
            {
                MemoryStatus status = space.Load64(Address(i % 7), out ulong value);
                wrong += status switch
                {
                    MemoryStatus.Ok when value is Value or 0 => 0,
                    MemoryStatus.Hole => 0,
                    _ => 1,
                };
            }
        });
        reader.Start();
        try
        {
            for (ulong i = 0; i < 20_000; i++)
            {
                MemoryRegion region = space.AddOwned(Address(i % 7), 4096);
                space.Store64(Address(i % 7), Value);
                space.Remove(region);
            }
        }
        finally
        {
            stop.Cancel();
            reader.Join();
        }

        Assert.Equal(0, wrong);
        Assert.Empty(space.Regions);
    }

    private static ulong Address(ulong i) => (i << 40) + (i << 21) + (i << 12);
}
