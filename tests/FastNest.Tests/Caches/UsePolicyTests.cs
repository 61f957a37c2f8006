using FastNest.Caches;
using Xunit;

namespace FastNest.Tests.Caches;

public sealed class UsePolicyTests
{
    private const int Window = 16;
    private const int Batch = 256;

    private readonly UsePolicy _policy = new();

    /// <summary>511 batches, then 1023 and so on to 8191 go by without the cache after two windows, and never more.</summary>
    [Fact]
    public void AUselessCacheIsAskedEverMoreSeldom() => Assert.Equal(
        [511, 1023, 2047, 4095, 8191, 8191, 8191, 8191],
        Enumerable.Range(0, 8).Select(_ => RestsAfter(0) + RestsAfter(0)));

    /// <summary>A miss costs more than many walks whose tables are known.</summary>
    [Theory]
    [InlineData(true, 1.0, 0)]
    [InlineData(true, 0.97, 0)]
    [InlineData(true, 0.96, 511)]
    [InlineData(true, 0.2, 511)]
    [InlineData(false, 0.2, 0)]
    [InlineData(false, 0.13, 0)]
    [InlineData(false, 0.12, 511)]
    public void HowManyMustBeHitsDependsOnTheWalks(bool areKnown, double share, int rests)
    {
        _policy.NoteWalks(32, areKnown ? 16 : 15);
        RestsAfter(share);
        Assert.Equal(rests, RestsAfter(share));
        if (rests == 0)
        {
            Assert.Equal(0, RestsAfter(share));
        }
    }

    /// <summary>While it is filled it is not given up, and what it could not do before does not count once it can.</summary>
    [Fact]
    public void ACacheThatGetsBetterHasTime()
    {
        for (double share = 0; share < 1; share += 0.04)
        {
            Assert.Equal(0, RestsAfter(share));
        }

        Assert.Equal(0, RestsAfter(1));
        Assert.Equal(511, RestsAfter(0.5));
        Assert.Equal(0, RestsAfter(0.5));
        Assert.Equal(1023, RestsAfter(0.5));
        RestsAfter(1);
        Assert.Equal(511, RestsAfter(0));
    }

    [Fact]
    public void ABatchThatAskedNothingTellsNothing()
    {
        for (int i = 0; i < 3 * Window; i++)
        {
            _policy.Note(0, 0);
            Assert.True(_policy.IsWorthwhile());
        }
    }

    /// <summary>How many batches go by without the cache after a window of such that used it.</summary>
    private int RestsAfter(double share)
    {
        for (int i = 0; i < Window; i++)
        {
            _policy.Note(Batch, (int)Math.Round(share * Batch));
        }

        int rests = 0;
        while (!_policy.IsWorthwhile())
        {
            rests++;
        }

        return rests;
    }
}
