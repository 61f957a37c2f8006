namespace FastNest.Reference.Walks;

/// <summary>Collects the Accessed and Dirty bits that hardware sets for a granted request.</summary>
internal sealed class Marks(MarkRules rules)
{
    private readonly List<ReferenceUpdate> _updates = [];

    public IReadOnlyList<ReferenceUpdate> All => _updates;

    public void AddGuestBits(GuestEntry entry, ulong bits) => Add(entry.Spa, bits, ReferenceStage.Guest);

    /// <summary>A in every host entry of a walk, D in the leaf when the walk serves a write.</summary>
    public void AddHostWalk(HostResult walk, bool writes)
    {
        foreach (HostEntry entry in walk.Entries)
        {
            ulong wanted = rules.HostAccessed ? MarkRules.Accessed : 0;
            if (rules.HostDirty && entry.IsLeaf && writes)
                wanted |= MarkRules.Dirty;
            Add(entry.Spa, wanted & ~entry.Raw, ReferenceStage.Host);
        }
    }

    private void Add(ulong address, ulong bits, ReferenceStage stage)
    {
        if (bits == 0)
            return;
        for (int i = 0; i < _updates.Count; i++)
        {
            if (_updates[i].Address == address && _updates[i].Stage == stage)
            {
                _updates[i] = _updates[i] with { Bits = _updates[i].Bits | bits };
                return;
            }
        }

        _updates.Add(new(address, bits, stage));
    }
}
