using FastNest.Engine;
using FastNest.Lanes;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class LaneRequestersTests
{
    private readonly LaneRequesters _requesters = new(1024);

    /// <summary>Those that are likely in one batch stand apart: a bus, a device's PASIDs, its reads and its writes.</summary>
    [Fact]
    public void LikelyNeighboursDoNotMeet()
    {
        AreApart(Enumerable.Range(0, 256).Select(device => new TranslationRequest(new((uint)device), 0, Access.Read)));
        AreApart(Enumerable.Range(0, 256).Select(pasid => new TranslationRequest(new(8), (uint)pasid, 0, Access.Read)));
        AreApart(new[] { Access.Read, Access.Write, Access.ReadWrite, Access.Read | Access.Execute }
            .SelectMany(access => Enumerable.Range(0, 64).Select(device => new TranslationRequest(new((uint)device), 0, access))));
    }

    [Fact]
    public void SideBySideTheyAreFoundInTheSamePlaces()
    {
        ulong[] who = [.. Enumerable.Range(0, 4).Select(i => new TranslationRequest(new(77), (uint)i * 1000, 0, (Access)(i + 1)).Requester)];
        var places = new ulong[4];
        PortableLanes.Store(_requesters.Find(PortableLanes.Load(in who[0], 0)), ref places[0], 0);
        Assert.Equal(who.Select(one => (ulong)_requesters.Find(one)), places);
    }

    private void AreApart(IEnumerable<TranslationRequest> requests)
    {
        uint[] places = [.. requests.Select(request => _requesters.Find(request.Requester))];
        Assert.Equal(places.Length, places.Distinct().Count());
    }
}
