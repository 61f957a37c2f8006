using FastNest.Caches;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Caches;

/// <remarks>To replay a failure, put the seed that FsCheck printed into the attribute: <c>[Property(Replay = "(1,3)")]</c>.</remarks>
public sealed class TagTableTests
{
    private static readonly TableRoots Roots = new(0x1003, 0);

    public enum Kind
    {
        Intern,
        Everything,
        Domain,
        Nested,
        Pasid,
        Device,
    }

    public static Arbitrary<(Kind, ushort, uint, int)[]> Steps()
    {
        Gen<(Kind, ushort, uint, int)> step =
            from kind in Gen.Frequency(
                (6, Gen.Constant(Kind.Intern)), (1, Gen.Elements(Kind.Everything, Kind.Device)), (2, Gen.Elements(Kind.Domain, Kind.Nested, Kind.Pasid)))
            from domain in Gen.Elements<ushort>(0, 1, 2, 1025)
            from pasid in Gen.Elements(TagTable.NoPasid, 0u, 1u, 0xF_FFFFu)
            from roots in Gen.Choose(0, 1)
            select (kind, domain, pasid, roots);
        return step.ArrayOf().ToArbitrary();
    }

    /// <summary>A tag stands for one (domain, PASID, roots) only, and never again after that was invalidated.</summary>
    [Property(Arbitrary = [typeof(TagTableTests)], MaxTest = 300)]
    public void ATagIsNeverUsedForTwoThings((Kind Kind, ushort Domain, uint Pasid, int Roots)[] steps)
    {
        var clock = new InvalidationClock();
        var tags = new TagTable(clock, DirectCache.Tags);
        var owner = new Dictionary<uint, (ushort, uint, int)>();
        var dead = new HashSet<uint>();
        foreach ((Kind kind, ushort domain, uint pasid, int roots) in steps)
        {
            switch (kind)
            {
                case Kind.Intern:
                    uint tag = tags.Intern(domain, pasid, new(0x1000 + (ulong)roots, 0));
                    Assert.NotEqual(0u, tag);
                    Assert.DoesNotContain(tag, dead);
                    Assert.Equal((domain, pasid, roots), owner.TryGetValue(tag, out var known) ? known : (domain, pasid, roots));
                    owner[tag] = (domain, pasid, roots);
                    Assert.True(tags.TryFind(domain, pasid, out uint found));
                    Assert.Equal(tag, found);
                    break;
                case Kind.Everything:
                    clock.InvalidateEverything();
                    dead.UnionWith(owner.Keys);
                    break;
                case Kind.Domain:
                    clock.InvalidateDomain(domain);
                    dead.UnionWith(owner.Where(pair => pair.Value.Item1 == domain).Select(static pair => pair.Key));
                    break;
                case Kind.Nested:
                    clock.InvalidateNested(domain);
                    dead.UnionWith(owner.Where(pair => pair.Value.Item1 == domain && pair.Value.Item2 != TagTable.NoPasid).Select(static pair => pair.Key));
                    break;
                case Kind.Pasid when pasid != TagTable.NoPasid:
                    clock.InvalidatePasid(domain, pasid);
                    dead.UnionWith(owner.Where(pair => pair.Value.Item1 == domain && pair.Value.Item2 == pasid).Select(static pair => pair.Key));
                    break;
                case Kind.Device:
                    clock.Invalidate(new FastNest.Requests.DeviceId(domain));
                    break;
            }
        }
    }

    [Fact]
    public void TheSameIdKeepsItsTagWhileNothingHappens()
    {
        var tags = new TagTable(new InvalidationClock(), DirectCache.Tags);
        uint tag = tags.Intern(1, TagTable.NoPasid, Roots);
        Assert.Equal(tag, tags.Intern(1, TagTable.NoPasid, Roots));
        Assert.NotEqual(tag, tags.Intern(2, TagTable.NoPasid, Roots));
        Assert.NotEqual(tag, tags.Intern(1, 0, Roots));
    }

    [Fact]
    public void OtherRootsGetAnotherTagAndContextsOfTheOldOneDie()
    {
        var clock = new InvalidationClock();
        var tags = new TagTable(clock, DirectCache.Tags);
        uint tag = tags.Intern(1, TagTable.NoPasid, Roots);
        ulong filledAt = clock.Now;
        Assert.NotEqual(tag, tags.Intern(1, TagTable.NoPasid, new(0x2003, 0)));
        Assert.True(clock.DomainAliveFrom(1) > filledAt);
    }

    [Fact]
    public void AFracturedTagIsNotFoundForRanges()
    {
        var tags = new TagTable(new InvalidationClock(), DirectCache.Tags);
        uint tag = tags.Intern(1, 7, Roots);
        tags.Intern(2, 7, Roots);
        Assert.True(tags.TryFind(1, 7, out _));
        tags.Fracture(tag);
        Assert.False(tags.TryFind(1, 7, out _));
        Assert.True(tags.TryFind(2, 7, out _));
    }

    [Fact]
    public void AnUnknownIdIsNotFound() => Assert.False(new TagTable(new InvalidationClock(), DirectCache.Tags).TryFind(0, 0, out _));

    [Fact]
    public void TagsRunOutAndBeginAnew()
    {
        var tags = new TagTable(new InvalidationClock(), 5);
        Assert.False(tags.IsExhausted(2));
        for (ushort domain = 0; !tags.IsExhausted(2); domain++)
        {
            Assert.InRange(tags.Intern(domain, TagTable.NoPasid, Roots), 1u, 5u);
            Assert.True(domain < 6);
        }

        tags.Recycle();
        Assert.False(tags.IsExhausted(2));
        Assert.False(tags.TryFind(0, TagTable.NoPasid, out _));
        Assert.Equal(1u, tags.Intern(9, TagTable.NoPasid, Roots));
    }
}
