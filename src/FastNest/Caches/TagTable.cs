namespace FastNest.Caches;

/// <summary>
/// Gives each (domain, PASID) in use a small number that tags what is cached of it. A domain is dropped by giving it a new
/// number; a number is never used twice until all are used up, and then everything cached is dropped first, so that two
/// domains can never be confused. Owned by one thread.
/// </summary>
internal sealed class TagTable
{
    /// <summary>The PASID of a translation without guest tables.</summary>
    public const uint NoPasid = uint.MaxValue;

    private const int Slots = 4096;
    private const int BitsPerWord = 64;

    private readonly Slot[] _slots = new Slot[Slots];
    private readonly InvalidationClock _clock;
    private readonly uint _limit;
    private readonly ulong[] _fractured;
    private uint _next = 1;

    /// <param name="clock">When ids were last dropped.</param>
    /// <param name="limit">How many tags there are, 3 to <see cref="DirectCache.Tags"/>.</param>
    public TagTable(InvalidationClock clock, uint limit)
    {
        _clock = clock;
        _limit = limit;
        _fractured = new ulong[limit / BitsPerWord + 1];
    }

    /// <summary>Whether so few tags are left that the owner must drop everything cached and call <see cref="Recycle"/>.</summary>
    public bool IsExhausted(uint wanted) => _next > _limit - wanted;

    /// <summary>Begins anew; every cache that holds tags must be empty, every context dead.</summary>
    public void Recycle()
    {
        Array.Clear(_slots);
        Array.Clear(_fractured);
        _next = 1;
    }

    /// <summary>The tag of a (domain, PASID) with given tables; a new one if it was dropped or its tables are others.</summary>
    public uint Intern(ushort domain, uint pasid, TableRoots roots)
    {
        ref Slot slot = ref Find(domain, pasid);
        if (slot.Is(domain, pasid) && slot.Since >= AliveFrom(domain, pasid))
        {
            if (slot.Roots == roots)
            {
                return slot.Tag;
            }

            // Two devices disagree about the domain's tables.
            Forsake(in slot);
        }
        else if (slot.Tag != 0 && !slot.Is(domain, pasid))
        {
            Forsake(in slot);
        }

        slot = new Slot { Domain = domain, Pasid = pasid, Roots = roots, Tag = _next++, Since = _clock.Now };
        return slot.Tag;
    }

    /// <summary>
    /// Notes that a page was cached in pieces smaller than the first stage maps: an invalidation of one piece must take all.
    /// </summary>
    public void Fracture(uint tag) => _fractured[tag / BitsPerWord] |= 1UL << (int)(tag % BitsPerWord);

    /// <summary>Finds the tag by whose pages a range may be dropped; without one, whatever is cached must be dropped as a whole.</summary>
    public bool TryFind(ushort domain, uint pasid, out uint tag)
    {
        ref Slot slot = ref Find(domain, pasid);
        tag = slot.Tag;
        return slot.Is(domain, pasid) && slot.Since >= AliveFrom(domain, pasid) && !IsFractured(tag);
    }

    /// <summary>Contexts that hold a tag must not outlive its place here, where invalidations look for it.</summary>
    private void Forsake(in Slot slot)
    {
        if (slot.Pasid == NoPasid)
        {
            _clock.InvalidateDomain(slot.Domain);
        }
        else
        {
            _clock.InvalidatePasid(slot.Domain, slot.Pasid);
        }
    }

    private bool IsFractured(uint tag) => (_fractured[tag / BitsPerWord] >> (int)(tag % BitsPerWord) & 1) != 0;

    private ulong AliveFrom(ushort domain, uint pasid) =>
        pasid == NoPasid ? _clock.DomainAliveFrom(domain) : _clock.NestedAliveFrom(domain, pasid);

    private ref Slot Find(ushort domain, uint pasid) =>
        ref _slots[(pasid * 0x9E37_79B9 + domain * 0x85EB_CA6Bu) >> 20];

    private struct Slot
    {
        public TableRoots Roots;
        public ulong Since;
        public uint Pasid;
        public uint Tag;
        public ushort Domain;

        public readonly bool Is(ushort domain, uint pasid) => Tag != 0 && Domain == domain && Pasid == pasid;
    }
}
