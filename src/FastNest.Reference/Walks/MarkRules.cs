using FastNest.Reference.Registers;

namespace FastNest.Reference.Walks;

/// <summary>Which Accessed and Dirty bits hardware keeps.</summary>
internal sealed class MarkRules(DeviceEntry dte, Features features, Control control)
{
    public const ulong Accessed = 1UL << 5;
    public const ulong Dirty = 1UL << 6;

    // DTE.HAD and Control.HADUpdate are coded alike: 1 = A only, 3 = A and D. // reading 33
    public bool HostAccessed => features.HASup && dte.Had is 1 or 3 && control.HadUpdate is 1 or 3;

    public bool HostDirty => HostAccessed && features.HDSup && dte.Had == 3 && control.HadUpdate == 3;

    public bool GuestAccessed => !control.GAUpdateDis;

    public bool GuestDirty => !control.GDUpdateDis;

    /// <summary>What a guest entry lacks: A, and D in the leaf of a write.</summary>
    public ulong MissingGuestBits(ulong entry, bool isLeaf, bool writes)
    {
        ulong wanted = GuestAccessed ? Accessed : 0;
        if (GuestDirty && isLeaf && writes)
            wanted |= Dirty;
        return wanted & ~entry;
    }
}
