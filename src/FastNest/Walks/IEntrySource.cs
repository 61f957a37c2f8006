using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>Where a walk's entries come from: physical memory for the host's tables, the host stage for the guest's.</summary>
internal interface IEntrySource
{
    /// <summary>Reads one entry, by one atomic load.</summary>
    /// <param name="address">Its address in the space that the stage's tables live in.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="fault">Why it could not be read.</param>
    bool TryRead(ulong address, out ulong entry, out WalkFault fault);

    /// <summary>Told of every table that the walk goes on in, with the rights gathered so far.</summary>
    void Passed(int level, ulong table, Access rights);
}
