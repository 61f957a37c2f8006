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
        AreApart(new[] { (Access.Read, false), (Access.Write, false), (Access.Read, true), (Access.Write, true) }
            .SelectMany(one => Enumerable.Range(0, 128).Select(device => new TranslationRequest(new((uint)device), 1, 0, one.Item1, one.Item2))));
    }

    [Fact]
    public void SideBySideTheyAreFoundInTheSamePlaces()
    {
        ulong[] who = [.. Enumerable.Range(0, 4).Select(i => new TranslationRequest(new(77), (uint)i * 1000, 0, (Access)(i + 1)).Requester)];
        var places = new ulong[4];
        PortableLanes.Store(_requesters.Find(PortableLanes.Load(in who[0], 0)), ref places[0], 0);
        Assert.Equal(who.Select(one => (ulong)_requesters.Find(one)), places);
    }

    /// <summary>Moments come round again; whoever was kept at the first of the same number is not alive because of that.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(1024)]
    public void WhoeverWasKeptIsUnknownAfterAnyNumberOfTicks(int entries)
    {
        LaneShape shape = Shape(1);
        for (int device = 0; device < 40; device++)
        {
            var requesters = new LaneRequesters(entries);
            ulong who = Who((uint)device);
            requesters.Advance(5);
            requesters.Keep(new(who, 7, default), in shape);
            Assert.True(IsKnown(requesters, who, in shape));
            for (ulong tick = 6; tick < 140; tick++)
            {
                requesters.Advance(tick);
                Assert.False(IsKnown(requesters, who, in shape), $"device {device}, tick {tick}");
                Assert.False(requesters.TryShape(who, out _));
            }
        }
    }

    [Fact]
    public void ATickThatIsTheSameChangesNothing()
    {
        LaneShape shape = Shape(1);
        _requesters.Advance(5);
        _requesters.Keep(new(Who(3), 7, default), in shape);
        _requesters.Advance(5);
        Assert.True(_requesters.TryTake(_requesters.Find(Who(3)), Who(3), _requesters.MarkOf(in shape), out ulong bound));
        Assert.Equal(7UL, bound);
    }

    /// <summary>More shapes than have marks: one that gave way is not taken for the one that came.</summary>
    [Fact]
    public void RequestersOfOtherShapesAreOthers()
    {
        for (byte kept = 1; kept <= 6; kept++)
        {
            LaneShape shape = Shape(kept);
            _requesters.Keep(new(Who(kept), 0, default), in shape);
            Assert.True(_requesters.TryShape(Who(kept), out LaneShape found));
            Assert.Equal(shape, found);
            for (byte asked = 1; asked <= 6; asked++)
            {
                if (asked != kept)
                {
                    Assert.False(IsKnown(_requesters, Who(kept), Shape(asked)));
                }
            }
        }

        LaneShape first = Shape(1);
        LaneShape second = Shape(2);
        _requesters.MarkOf(in first);
        _requesters.MarkOf(in second);
        _requesters.Keep(new(Who(1), 0, default), in first);
        _requesters.Keep(new(Who(2), 0, default), in second);
        Assert.True(IsKnown(_requesters, Who(1), in first));
        Assert.True(IsKnown(_requesters, Who(2), in second));
    }

    /// <summary>Requests have bits where marks stand; such a request is no one's who was kept.</summary>
    [Fact]
    public void RequestsOutOfTheOrdinaryAreUnknown()
    {
        LaneShape shape = Shape(1);
        _requesters.Keep(new(Who(3), 0, default), in shape);
        Assert.True(_requesters.TryShape(Who(3), out _));
        for (ulong marks = LaneRequesters.Marks; marks != 0; marks = (marks - 1) & LaneRequesters.Marks)
        {
            ulong who = Who(3) | marks;
            uint place = _requesters.Find(Who(3));
            for (ulong mark = LaneRequesters.Marks; mark != 0; mark = (mark - 1) & LaneRequesters.Marks)
            {
                Assert.False(_requesters.TryTake(place, who, mark, out _));
            }

            Assert.False(_requesters.TryShape(who, out _));
        }
    }

    [Fact]
    public void RequestsOutOfTheOrdinaryAreNotTakenSideBySide()
    {
        var requesters = new LaneRequesters(1);
        LaneShape shape = Shape(1);
        requesters.Keep(new(Who(3), 0, default), in shape);
        var taken = new LaneRequests(requesters);
        var usual = new TranslationRequest(new(3), 0, Access.Read);
        Assert.Equal(4, Take(usual, requesters.MarkOf(in shape)));
        for (int kind = 0; kind < 4; kind++)
        {
            for (int access = 0; access < 256; access += 8)
            {
                TranslationRequest request = new(new(3), 0, (Access)access | Access.Read) { Kind = (RequestKind)kind };
                for (ulong mark = LaneRequesters.Marks; mark != 0 && request != usual; mark = (mark - 1) & LaneRequesters.Marks)
                {
                    Assert.Equal(0, Take(request, mark));
                }
            }
        }

        int Take(TranslationRequest request, ulong mark)
        {
            taken.Clear();
            taken.Count = 0;
            return RequesterLanes<PortableLanes>.Take([request, request, request, request], 0, mark, AddressRange.Empty, requesters, taken);
        }
    }

    [Fact]
    public void NobodyIsKnownAtFirst()
    {
        var requesters = new LaneRequesters(1);
        Assert.False(IsKnown(requesters, 0, default));
        Assert.False(requesters.TryShape(0, out _));
    }

    private static bool IsKnown(LaneRequesters requesters, ulong who, in LaneShape shape) =>
        requesters.TryTake(requesters.Find(who), who, requesters.MarkOf(in shape), out _);

    private static LaneShape Shape(byte levels) => new(ContextMode.Host, 0, levels, MarkPolicy.None, MarkPolicy.None, false, false);

    private static ulong Who(uint device) => new TranslationRequest(new(device), 0, Access.Read).Requester;

    private void AreApart(IEnumerable<TranslationRequest> requests)
    {
        uint[] places = [.. requests.Select(request => _requesters.Find(request.Requester))];
        Assert.Equal(places.Length, places.Distinct().Count());
    }
}
