using FastNest.Engine;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class InvalidationQueueTests
{
    [Fact]
    public void RecordsAreReadInOrderUntilTheyAreOverwritten()
    {
        var queue = new InvalidationQueue();
        Assert.Equal(0, queue.Published);
        for (int i = 0; i < 1500; i++)
        {
            queue.Publish(Invalidation.OfDomain((ushort)i));
        }

        Assert.Equal(1500, queue.Published);
        for (int i = 0; i < 1500; i++)
        {
            bool kept = queue.TryRead(i, out Invalidation read);
            Assert.Equal(i >= 1500 - 1024, kept);
            Assert.Equal(kept ? (ushort)i : read.Domain, read.Domain);
        }
    }

    [Fact]
    public void AReaderNeverTakesAnOverwrittenRecordForAnOlderOne()
    {
        var queue = new InvalidationQueue();
        bool stop = false;
        int wrong = 0;
        var reader = new Worker(() =>
        {
            long place = 0;
            while (!Volatile.Read(ref stop))
            {
                long published = queue.Published;
                while (place < published)
                {
                    if (!queue.TryRead(place, out Invalidation read))
                    {
                        place = published;
                        break;
                    }

                    wrong += read == Invalidation.OfPasid((ushort)place, (uint)place, (ulong)place << 12, 12) ? 0 : 1;
                    place++;
                }
            }
        });
        reader.Start();
        for (int i = 0; i < 300_000; i++)
        {
            queue.Publish(Invalidation.OfPasid((ushort)i, (uint)i, (ulong)i << 12, 12));
        }

        Volatile.Write(ref stop, true);
        reader.Join();
        Assert.Equal(0, wrong);
    }

    [Fact]
    public void RangesAreAlignedToTheirSize()
    {
        Assert.Equal(0x4000UL, Invalidation.OfDomain(1, 0x7FFF, 14).Address);
        Assert.Equal(0x8000UL, Invalidation.OfPasid(1, 2, 0x8FFF, 12).Address);
    }
}
