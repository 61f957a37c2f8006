using FastNest.Caches;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Caches;

public sealed class InvalidationClockTests
{
    private readonly InvalidationClock _clock = new();

    [Fact]
    public void EachKindKillsWhatItNamesAndNoMore()
    {
        Alive(true, true, true, true, true);
        ulong before = _clock.Now;
        _clock.Invalidate(new DeviceId(1));
        Assert.True(_clock.Now > before);
        Kills(before, device: true);
        before = _clock.Now;
        _clock.InvalidatePasid(1, 5);
        Kills(before, pasid: true);
        before = _clock.Now;
        _clock.InvalidateNested(1);
        Kills(before, pasid: true, otherPasid: true);
        before = _clock.Now;
        _clock.InvalidateDomain(1);
        Kills(before, domain: true, pasid: true, otherPasid: true);
        before = _clock.Now;
        _clock.InvalidateEverything();
        Kills(before, true, true, true, true, true);
    }

    [Fact]
    public void WhatIsFilledAfterwardsIsAlive()
    {
        _clock.InvalidateEverything();
        _clock.InvalidateDomain(1);
        _clock.InvalidateNested(1);
        _clock.InvalidatePasid(1, 5);
        _clock.Invalidate(new DeviceId(1));
        ulong now = _clock.Now;
        Assert.True(now >= _clock.AliveFrom(new(1)));
        Assert.True(now >= _clock.DomainAliveFrom(1));
        Assert.True(now >= _clock.NestedAliveFrom(1, 5));
    }

    private void Alive(bool device, bool domain, bool pasid, bool otherPasid, bool otherDomain) =>
        Kills(_clock.Now, !device, !domain, !pasid, !otherPasid, !otherDomain);

    private void Kills(
        ulong filledAt, bool device = false, bool domain = false, bool pasid = false, bool otherPasid = false, bool otherDomain = false)
    {
        Assert.Equal(device, filledAt < _clock.AliveFrom(new(1)));
        Assert.Equal(domain, filledAt < _clock.DomainAliveFrom(1));
        Assert.Equal(pasid, filledAt < _clock.NestedAliveFrom(1, 5));
        Assert.Equal(otherPasid, filledAt < _clock.NestedAliveFrom(1, 6));
        Assert.Equal(otherDomain, filledAt < _clock.DomainAliveFrom(2));
    }
}
