using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Collects the Accessed and Dirty bits that hardware sets for a granted request.</summary>
internal sealed class Marks(DeviceEntry dte, Features features, Control control, TranslationRequest request)
{
    private const ulong Accessed = 1UL << 5;
    private const ulong Dirty = 1UL << 6;
    private readonly List<ReferenceUpdate> _updates = [];

    public IReadOnlyList<ReferenceUpdate> All => _updates;

    /// <summary>What a guest entry lacks: A, and D in the leaf of a write.</summary>
    public ulong MissingGuestBits(GuestEntry entry)
    {
        ulong wanted = 0;
        if (!control.GAUpdateDis)
            wanted |= Accessed;
        if (!control.GDUpdateDis && entry.IsLeaf && Events.IsWrite(request))
            wanted |= Dirty;
        return wanted & ~entry.Raw;
    }

    public void AddGuestBits(GuestEntry entry, ulong bits) => Add(entry.Spa, bits, ReferenceStage.Guest);

    /// <summary>A in every host entry of a walk, D in the leaf when the walk serves a write.</summary>
    public void AddHostWalk(HostResult walk, bool writes)
    {
        foreach (HostEntry entry in walk.Entries)
        {
            ulong wanted = HostAccessed ? Accessed : 0;
            if (HostDirty && entry.IsLeaf && writes)
                wanted |= Dirty;
            Add(entry.Spa, wanted & ~entry.Raw, ReferenceStage.Host);
        }
    }

    // DTE.HAD and Control.HADUpdate are coded alike: 1 = A only, 3 = A and D.
    private bool HostAccessed => features.HASup && dte.Had is 1 or 3 && control.HadUpdate is 1 or 3;

    private bool HostDirty => HostAccessed && features.HDSup && dte.Had == 3 && control.HadUpdate == 3;

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
