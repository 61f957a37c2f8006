using FastNest.Caches;
using Xunit;

namespace FastNest.Tests.Caches;

public sealed class UsePolicyTests
{
    private readonly UsePolicy _policy = new();

    /// <summary>15 batches, then 31 and so on to 1023 go by without the cache, and never more.</summary>
    [Fact]
    public void AUselessCacheIsAskedEverMoreSeldom() =>
        Assert.Equal([15, 31, 63, 127, 255, 511, 1023, 1023], Enumerable.Range(0, 8).Select(_ => RestsAfter(hits: 0)));

    [Fact]
    public void ACacheThatIsOfUseAgainIsAskedEachTime()
    {
        RestsAfter(hits: 0);
        RestsAfter(hits: 0);
        Assert.Equal(0, RestsAfter(hits: 1));
        Assert.Equal(15, RestsAfter(hits: 0));
    }

    [Fact]
    public void ABatchThatAskedNothingTellsNothing()
    {
        _policy.Note(0, 0);
        Assert.True(_policy.IsWorthwhile());
    }

    /// <summary>How many batches go by without the cache after one of eight requests that used it.</summary>
    private int RestsAfter(int hits)
    {
        _policy.Note(8, hits);
        int rests = 0;
        while (!_policy.IsWorthwhile())
        {
            rests++;
        }

        return rests;
    }
}
