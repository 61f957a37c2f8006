using FastNest.Caches;

namespace FastNest.Engine;

/// <summary>What a front end is lent to resolve a context: a port's tags and its second stage.</summary>
internal sealed class ContextBuilder(TagTable tags, HostStage host)
{
    /// <summary>The port's second stage, for structures that stand at guest physical addresses.</summary>
    public HostStage Host => host;

    /// <summary>Tags a second stage, before it is used.</summary>
    public void Tag(ref HostSpace space) =>
        space.Tag = tags.Intern(space.Domain, TagTable.NoPasid, new(RootOf(space), 0));

    /// <summary>Tags a first stage, before it is used.</summary>
    public void Tag(ref GuestSpace guest, in HostSpace space) =>
        guest.Tag = tags.Intern(space.Domain, guest.Pasid, new(RootOf(space), KeyOf(guest.Root, guest.Levels, guest.Marks)));

    private static ulong RootOf(in HostSpace space) => KeyOf(space.Root, space.Levels, space.Marks);

    /// <summary>Roots are aligned to 4 KiB. A device that keeps no marks may not fill what another, which does, will find.</summary>
    private static ulong KeyOf(ulong root, byte levels, MarkPolicy marks) => root | levels | (ulong)marks << 4;
}
