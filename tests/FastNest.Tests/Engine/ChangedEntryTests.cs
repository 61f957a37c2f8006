using FastNest.Caches;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Engine.Interleavings;
using FastNest.Walks;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Software changes an entry between a walk's reading it and marking it: the walk begins again, what was read is not used.</summary>
public sealed class ChangedEntryTests : IDisposable
{
    private const uint Tag = 1;
    private const ulong Iova = 0x5000;
    private const ulong Host = 0x1000;
    private const ulong Guest = 0x2000;
    private const ulong HostLeaf = Host + 5 * 8;
    private const ulong GuestLeaf = Guest + 0x3000 + 5 * 8;
    private const ulong Marks = 0x60;
    private static readonly ulong[] Pages = [0x8000, 0x9000];

    private readonly GuestPhysicalSpace _memory = new();
    private readonly PageCache _pages = new(4, 1);
    private readonly HostWalker<YieldingV1> _host;
    private readonly GuestStage<YieldingV2, YieldingV1> _guest;
    private int _changes;

    public ChangedEntryTests()
    {
        _memory.AddOwned(0, 0x1_0000);
        _host = new(_memory, _pages, new(0));
        _guest = new(_memory, _host, new(0));
        Store(HostLeaf, Bits.Pte(Pages[0]));
        for (ulong level = 0; level < 3; level++)
        {
            Store(Guest + level * 0x1000, (Guest + (level + 1) * 0x1000) | 7);
        }

        Store(GuestLeaf, Pages[0] | 7);
    }

    public void Dispose()
    {
        YieldPoint.Set(null);
        _memory.Dispose();
    }

    [Fact]
    public void OfTheSecondStageIsReadAgain()
    {
        ChangeEveryTime(HostLeaf, limit: 1);
        Assert.Equal((Pages[1], Access.None), WalkHost());
        Assert.Equal(Bits.Pte(Pages[1]) | Marks, Load(HostLeaf));
    }

    [Fact]
    public void OfTheFirstStageIsReadAgain()
    {
        ChangeEveryTime(GuestLeaf, limit: 4);
        Assert.Equal((Pages[0], Access.None), WalkGuest());
        Assert.Equal(Pages[0] | 7 | Marks, Load(GuestLeaf));
    }

    /// <summary>A translation request that got less from the entry as it was asks anew for all it wanted (reading 78).</summary>
    [Fact]
    public void OfATranslationRequestIsAskedForAllAgain()
    {
        Store(GuestLeaf, Pages[0] | 5);
        YieldPoint.Set(() =>
        {
            if (++_changes == 4)
            {
                Store(GuestLeaf, Pages[0] | 7); // by now its old value is read
            }
        });
        Assert.Equal((Pages[0], Access.None), WalkGuest(RequestKind.Translation));
        Assert.Equal(Pages[0] | 7 | Marks, Load(GuestLeaf));
    }

    /// <summary>An entry that never stands still is used as last read, and nothing of it is kept.</summary>
    [Fact]
    public void OfTheSecondStageThatChangesForEverIsNeitherMarkedNorKept()
    {
        ChangeEveryTime(HostLeaf, limit: int.MaxValue);
        Assert.Equal(Access.All, WalkHost().Withheld);
        Assert.Equal(0UL, Load(HostLeaf) & Marks);
        Assert.False(_pages.TryGet(Tag, Iova, out _));
    }

    [Fact]
    public void OfTheFirstStageThatChangesForEverIsNeitherMarkedNorKept()
    {
        ChangeEveryTime(GuestLeaf, limit: int.MaxValue);
        Assert.Equal(Access.All, WalkGuest().Withheld);
        Assert.Equal(0UL, Load(GuestLeaf) & Marks);
    }

    private (ulong Output, Access Withheld) WalkHost()
    {
        HostSpace space = Space(Host, 1);
        Assert.True(_host.TryWalk(in space, Iova, Access.Write, _pages, out WalkLeaf leaf, out _));
        return (leaf.Output, leaf.Withheld);
    }

    private (ulong Output, Access Withheld) WalkGuest(RequestKind kind = RequestKind.Untranslated)
    {
        HostSpace space = Space(0, 0);
        var guest = new GuestSpace { Root = Guest, Tag = Tag, Levels = 4, Marks = MarkPolicy.Accessed | MarkPolicy.Dirty };
        var request = new TranslationRequest(new(1), 1, Iova, Access.Write) { Kind = kind };
        Assert.True(_guest.TryLocate(in guest, in space, in request, out CachedPage page, out _, out _));
        return (page.Output, page.Withheld);
    }

    private static HostSpace Space(ulong root, byte levels) => new()
    {
        Root = root,
        Tag = Tag,
        Levels = levels,
        Permissions = FastNest.Formats.StageRights.All,
        Marks = MarkPolicy.Accessed | MarkPolicy.Dirty,
    };

    /// <summary>After every entry read, its page is the other one.</summary>
    private void ChangeEveryTime(ulong leaf, int limit) => YieldPoint.Set(() =>
    {
        if (_changes++ < limit)
        {
            Store(leaf, (Load(leaf) & ~(0xF000UL | Marks)) | Pages[_changes % 2]);
        }
    });

    private ulong Load(ulong address)
    {
        Assert.Equal(MemoryStatus.Ok, _memory.Load64(address, out ulong value));
        return value;
    }

    private void Store(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, _memory.Store64(address, value));
}
