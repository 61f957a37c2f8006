using FastNest.Requests;

namespace FastNest.Fuzz.Targets;

/// <summary>
/// A random machine: v1 tables of every mode with skipped levels, every page size, weak permissions, tables in holes and
/// damaged entries; guest tables above some of them; device table entries, mostly legal; features, segments and exclusion
/// ranges. Requests lean to addresses that are mapped and to near misses.
/// <para>
/// Software must put the same entry into every slot of a page that takes several; a cache may rely on it. A consistent
/// machine does so, however damaged the entry is; an inconsistent one is for translation without caches.
/// </para>
/// </summary>
internal sealed class RandomTables : IDisposable
{
    public const ulong CommandRing = 0x20_0000;
    public const ulong EventRing = 0x21_0000;
    public const ulong Semaphore = 0x22_0000;

    private const ulong DeviceTable = 0x1000;
    private const ulong FarPages = 0x000F_FFFF_FFF0_0000;
    private const ulong Hole = 0x3F00_0000;
    private const ulong TablePool = 0x10_0000;
    private const int PoolPages = 250;
    private const ulong GuestShare = TablePool + 120 * 0x1000;
    private const ulong GuestTranslation = Mmio.GTSup | 2UL << 14 | 1UL << 12 | Mmio.GIoSup | 1UL << 53 | 1UL << 61;

    private readonly Dice _dice;
    private readonly bool _consistent;
    private readonly HashSet<ulong> _used = [];
    private readonly List<(ulong Root, int Mode)> _hosts = [];
    private readonly List<(ulong Root, int Levels)> _guests = [];
    private readonly List<(ulong Root, int Glx)> _gcr3s = [];
    private readonly List<ulong> _addresses = [0, 0xFEE0_0000, 0xFEEF_FFFC];
    private readonly List<ulong> _guestAddresses = [0];
    private readonly List<uint> _devices = [];
    private readonly List<uint> _pasids = [0, 0, 0, 1, 1, 1, 511, 512];
    private readonly Dictionary<ulong, List<ulong>> _addressesOfGuests = [];
    private readonly Dictionary<ulong, List<(uint Pasid, ulong Root)>> _guestsOfGcr3s = [];
    private readonly List<(uint Device, uint Pasid, ulong Address)> _mapped = [];
    private ulong _nextPage = TablePool;
    private int _segmentBits;
    private int _guestLevels = 4;

    /// <param name="dice">The choices.</param>
    /// <param name="consistent">Whether pages of several slots have the same entry in each.</param>
    /// <param name="offered">Features that this machine has in any case.</param>
    public RandomTables(Dice dice, bool consistent, ulong offered = 0)
    {
        _dice = dice;
        _consistent = consistent;
        Twins = new(RandomEfr() | offered, dice.OneIn(4) ? 0 : 1UL << 3);
        Twins.Add(DeviceTable, 8);
        Twins.Add(TablePool, PoolPages);
        Twins.Add(FarPages, 8);
        Twins.Add(CommandRing, 1);
        Twins.Add(EventRing, 1);
        Twins.Add(Semaphore, 1);
        BuildIdentity();
        BuildFineIdentity();
        if ((Twins.Efr & Mmio.GTSup) != 0)
        {
            _guestLevels = dice.Of(4, 4, 4, 5);
            for (int i = dice.Between(1, 2); i > 0; i--)
            {
                int levels = dice.OneIn(8) ? 9 - _guestLevels : _guestLevels;
                int known = _guestAddresses.Count;
                ulong root = BuildGuest(levels, 0);
                _guests.Add((root, levels));
                _addressesOfGuests[root] = _guestAddresses[known..];
            }

            for (int glx = 0; glx < 3; glx++)
            {
                var guests = new List<(uint, ulong)>();
                ulong root = BuildGcr3(glx, guests);
                _gcr3s.Add((root, glx));
                _guestsOfGcr3s[root] = guests;
            }
        }

        for (int i = dice.Between(1, 4); i > 0; i--)
        {
            int mode = dice.Between(1, 6);
            _hosts.Add((BuildHost(mode, 0), mode));
        }

        SetRegisters();
        for (int i = 0; i < 8; i++)
        {
            SetDevice();
        }
    }

    public Twins Twins { get; }

    public void Dispose() => Twins.Dispose();

    public TranslationRequest Request()
    {
        uint device = _dice.OneIn(12) ? (uint)_dice.Below(0x1_0100) : _dice.From(_devices);
        if (_mapped.Count > 0 && !_dice.OneIn(4))
        {
            return MappedRequest();
        }

        bool guest = _dice.OneIn((Twins.Efr & Mmio.GTSup) != 0 ? 2 : 10);
        ulong iova = _dice.From(guest && !_dice.OneIn(5) ? _guestAddresses : _addresses) ^ _dice.Field(_dice.Of(0, 11, 11, 13, 22), 0);
        if (_dice.OneIn(5))
        {
            iova ^= _dice.Bit(0, 63);
        }

        if (_dice.OneIn(20))
        {
            iova = _dice.Word() >> _dice.Below(64);
        }

        Access access = _dice.Of(Access.Read, Access.Write, Access.Write, Access.ReadWrite, Access.Execute, Access.All);
        TranslationRequest request = guest
            ? new(new(device), _dice.OneIn(12) ? (uint)_dice.Below(1 << 20) : _dice.From(_pasids), iova, access, _dice.OneIn(2))
            : new(new(device), iova, access);
        return request with
        {
            Kind = _dice.OneIn(6) ? _dice.Of(RequestKind.Translation, RequestKind.Translation, RequestKind.Translated) : RequestKind.Untranslated,
        };
    }

    /// <summary>Through guest tables to a page that they map, if nothing is damaged on the way.</summary>
    private TranslationRequest MappedRequest()
    {
        (uint device, uint pasid, ulong address) = _dice.From(_mapped);
        address &= pasid == 0 && !_dice.OneIn(8) ? (1UL << (12 + 9 * _guestLevels)) - 1 : ulong.MaxValue; // PASID 0 has no sign
        address ^= _dice.Field(_dice.Of(11, 11, 11, 11, 11, 14, 20), 0);
        Access access = _dice.Of(Access.Read, Access.Read, Access.Write, Access.ReadWrite, Access.Execute);
        TranslationRequest request = pasid == 0 && _dice.OneIn(4)
            ? new(new(device), address, access)
            : new(new(device), pasid, address, access, _dice.OneIn(2));
        return request with { Kind = _dice.OneIn(8) ? RequestKind.Translation : RequestKind.Untranslated };
    }

    private ulong RandomEfr()
    {
        ulong efr = _dice.Of(
            Mmio.BuiltEfr,
            Mmio.BuiltEfr,
            0UL,
            Mmio.BuiltEfr | Mmio.PprSup | Mmio.HASup,
            Mmio.BuiltEfr | Mmio.EphSup | Mmio.GIoSup | Mmio.SnpSup,
            Mmio.BuiltEfr | GuestTranslation | Mmio.NXSup | 1UL << 37,
            Mmio.BuiltEfr | GuestTranslation,
            Mmio.BuiltEfr | GuestTranslation | Mmio.PprSup,
            Mmio.BuiltEfr | GuestTranslation | Mmio.NXSup | 1UL << 37,
            Mmio.BuiltEfr | GuestTranslation | Mmio.NXSup | 1UL << 37,
            Mmio.BuiltEfr | GuestTranslation | Mmio.PprSup | Mmio.NXSup,
            Mmio.BuiltEfr | GuestTranslation | Mmio.PprSup,
            Mmio.BuiltEfr | GuestTranslation | Mmio.NXSup,
            Mmio.BuiltEfr | GuestTranslation | Mmio.HASup | 1UL << 37,
            Mmio.BuiltEfr | GuestTranslation & ~(3UL << 14) & ~(3UL << 12) | Mmio.NXSup);
        return _dice.OneIn(12) ? efr & ~(3UL << 10) | _dice.Field(11, 10) : efr;
    }

    private ulong NewPage()
    {
        if (_dice.OneIn(100))
        {
            return Hole + (ulong)_dice.Below(16) * 0x1000;
        }

        if (_nextPage < TablePool + PoolPages * 0x1000)
        {
            _nextPage += 0x1000;
            return _nextPage - 0x1000;
        }

        return FarPages + (ulong)_dice.Below(8) * 0x1000; // shared: tables may well be entered twice
    }

    private ulong Rights() => _dice.OneIn(6) ? _dice.Of(0UL, Bits.IR, Bits.IW) : Bits.IR | Bits.IW;

    /// <summary>One corruption in a while: any bit, or one that is reserved.</summary>
    private ulong Damaged(ulong entry) => _dice.Below(80) switch
    {
        0 => entry ^ _dice.Bit(0, 63),
        1 => entry ^ _dice.Bit(52, 63),
        2 => entry ^ _dice.Bit(0, 11),
        _ => entry,
    };

    private ulong BuildHost(int level, ulong prefix)
    {
        ulong table = NewPage();
        for (int i = _dice.Between(1, 5); i > 0; i--)
        {
            int index = _dice.Of(0, 0, 1, 2, level == 6 ? 127 : 511, _dice.Below(level == 6 ? 128 : 512));
            int shift = Bits.LevelShift(level);
            bool leaf = level == 1 || _nextPage >= TablePool + PoolPages * 0x1000 || (level < 6 && _dice.OneIn(3));
            if (leaf && _dice.OneIn(2))
            {
                PutSized(table, level, index, prefix);
                continue;
            }

            if (_consistent && !_used.Add(table + (ulong)index * 8))
            {
                continue;
            }

            ulong iova = prefix | (ulong)index << shift;
            _addresses.Add(iova);
            int next = leaf ? 0 : _dice.OneIn(4) ? _dice.Between(1, level - 1) : level - 1;
            ulong target = leaf ? _dice.Field(51, 12) : BuildHost(next, iova);
            ulong flags = _dice.OneIn(3) ? _dice.Field(8, 1) : 0; // ignored bits, A and D
            ulong entry = Bits.Pde(target, next, Rights()) | flags;
            ulong damaged = Damaged(entry);
            Twins.Store(table + (ulong)index * 8, _consistent && (damaged >> 9 & 7) == 7 ? entry : damaged);
        }

        return table;
    }

    /// <summary>A page of several slots, mostly of a legal size; at level 6 and past the ends of legality too.</summary>
    private void PutSized(ulong table, int level, int index, ulong prefix)
    {
        int shift = Bits.LevelShift(level);
        int size = Math.Clamp(shift + (_dice.OneIn(10) ? _dice.Between(-3, 12) : _dice.Of(1, 1, 2, 3, 4, 5, 6, 7, 8)), 13, 52);
        ulong entry = Bits.SizedPte(_dice.Field(51, 12), size, Rights());
        ulong damaged = Damaged(entry);
        entry = _consistent && ((damaged ^ entry) & 0x000F_FFFF_FFFF_F000) != 0 ? entry : damaged;
        int slots = 1 << Math.Clamp(size - shift, 0, 8);
        ulong[] places = [.. Enumerable.Range(index & ~(slots - 1), slots).Select(slot => table + (ulong)slot * 8)];
        if (_consistent && Array.Exists(places, _used.Contains))
        {
            return;
        }

        _used.UnionWith(places);
        Array.ForEach(places, place => Twins.Store(place, entry));
        _addresses.Add(prefix | (ulong)index << shift);
        _addresses.Add((prefix | (ulong)(index & ~(slots - 1)) << shift) + (1UL << size) - 1);
    }

    /// <summary>A host table that maps the tables' own memory onto itself, so that guests can have theirs there.</summary>
    private void BuildIdentity()
    {
        ulong root = NewPage();
        int mode = _dice.Of(2, 3, 3);
        ulong leaf = mode == 3 ? Bits.Pte(0, Rights() | Bits.IR) : Bits.Pte(0);
        _used.UnionWith([root, root + 8]);
        leaf = mode == 2 && _dice.OneIn(2) ? Bits.SizedPte(0, 22) : leaf;
        Twins.Store(root, leaf);
        if (mode == 2)
        {
            Twins.Store(root + 8, (leaf >> 9 & 7) == 7 ? leaf : Bits.Pte(0x20_0000));
        }

        _hosts.Add((root, mode));
    }

    /// <summary>
    /// The same in pages of many sizes, so that guest pages lie over smaller and over larger ones: 4 KiB up to 2 MiB, 64 KiB up
    /// to 4 MiB, 2 MiB and 4 MiB up to 16 MiB, and 1 GiB; what is no table lies elsewhere, not one to one.
    /// </summary>
    private void BuildFineIdentity()
    {
        ulong root = NewPage();
        ulong middle = NewPage();
        ulong pages = NewPage();
        ulong pieces = NewPage();
        _used.UnionWith([root, root + 8, .. Enumerable.Range(0, 8).Select(slot => middle + (ulong)slot * 8)]);
        Twins.Store(root, Bits.Pde(middle, 2));
        Twins.Store(root + 8, Damaged(Bits.Pte(7UL << 30, Rights())));
        Twins.Store(middle, Bits.Pde(pages, 1));
        Twins.Store(middle + 8, Bits.Pde(pieces, 1, Rights()));
        for (ulong slot = 2; slot < 8; slot++)
        {
            Twins.Store(middle + slot * 8, slot < 4 ? Damaged(Bits.Pte((0x900 + slot) << 21, Rights())) : Bits.SizedPte((0x500 + slot / 2) << 22, 22));
        }

        for (ulong page = 0; page < 512; page++)
        {
            _used.UnionWith([pages + page * 8, pieces + page * 8]);
            Twins.Store(pages + page * 8, Bits.Pte(page << 12));
            Twins.Store(pieces + page * 8, Bits.SizedPte((0xA000 + page / 16) << 16, 16));
        }

        _hosts.Add((root, 3));
    }

    private ulong BuildGuest(int level, ulong prefix)
    {
        ulong table = NewPage();
        for (int i = _dice.Between(2, 4); i > 0; i--)
        {
            int index = _dice.Of(0, 1, 255, 256, 511, _dice.Below(512));
            ulong address = prefix | (ulong)index << Bits.LevelShift(level);
            if (_consistent && !_used.Add(table + (ulong)index * 8))
            {
                continue;
            }

            bool leaf = level == 1 || (_nextPage >= GuestShare && level <= 3) || (level <= 3 && _dice.OneIn(3));
            if (leaf)
            {
                // Sign-extended, unless it is to be refused.
                int above = 64 - 12 - 9 * _guestLevels;
                _guestAddresses.Add(_dice.OneIn(12) ? address : (ulong)((long)(address << above) >> above));
                _addresses.Add(address);
            }

            ulong entry = leaf
                ? _dice.Field(_dice.Of(20, 20, 21, 22, 23, 23, 23, 29, 30, 30, 30, 51), 12) & ~((1UL << Bits.LevelShift(level)) - 1) | (level > 1 ? 1UL << 7 : 0)
                : BuildGuest(level - 1, address);
            ulong flags = (_dice.OneIn(24) ? 0UL : 2) | (_dice.OneIn(24) ? 0UL : 4) | (_dice.OneIn(24) ? 1UL << 63 : 0) | 0x20;
            Twins.Store(table + (ulong)index * 8, Damaged(1 | flags | entry));
        }

        return table;
    }

    /// <summary>A PASID table of <paramref name="glx"/> levels above the one that holds guest tables; each level resolves nine bits.</summary>
    private ulong BuildGcr3(int glx, List<(uint Pasid, ulong Root)> guests, uint pasids = 0)
    {
        ulong table = NewPage();
        uint[] indices = glx == 0 ? [0, 1, 511, (uint)_dice.Below(512)] : [0, (uint)_dice.Below(glx == 2 ? 4 : 512)];
        foreach (uint index in indices)
        {
            if (_consistent && !_used.Add(table + index * 8))
            {
                continue;
            }

            uint reached = pasids << 9 | index;
            ulong target = _dice.OneIn(24) ? NewPage() : glx == 0 ? _dice.From(_guests).Root : BuildGcr3(glx - 1, guests, reached);
            Twins.Store(table + index * 8, Damaged(1 | target));
            if (glx == 0)
            {
                _pasids.Add(reached & 0xF_FFFF);
                guests.Add((reached & 0xF_FFFF, target));
            }
        }

        return table;
    }

    private void SetRegisters()
    {
        _segmentBits = (Twins.Efr & Mmio.DevTblSeg8) != 0 ? _dice.Of(0, 0, 1, 3) : 0;
        for (int segment = 0; segment < 8; segment++)
        {
            ulong table = segment != 0 && _dice.OneIn(8) ? Hole : DeviceTable + (ulong)segment * 0x1000;
            Twins.Write(segment == 0 ? 0 : 0xF8UL + (ulong)segment * 8, table);
        }

        if (_dice.OneIn(3))
        {
            ulong start = _dice.From(_addresses) & 0xF_FFFF_FFFF_F000;
            Twins.Write(Mmio.ExclusionBase, start | _dice.Field(1, 0));
            Twins.Write(Mmio.ExclusionLimit, start + ((ulong)_dice.Below(4) << _dice.Of(12, 21)));
        }

        Twins.Write(Mmio.CommandBase, CommandRing | 8UL << 56);
        Twins.Write(Mmio.EventBase, EventRing | 8UL << 56);
        ulong control = Mmio.EventLogEn | Mmio.CmdBufEn | (_dice.OneIn(2) ? Mmio.EventIntEn : 0) | (ulong)_segmentBits << 34;
        control |= _dice.OneIn(6) ? 0 : Mmio.GTEn | 1UL << 48 | 1UL << 54; // no marks in guest tables
        control |= _dice.OneIn(2) ? 0 : 1UL << 58; // GCR3TRPMode: the PASID tables are the guest's
        Twins.Write(Mmio.Control, control | (_dice.OneIn(40) ? 0 : Mmio.IommuEn));
    }

    private void SetDevice()
    {
        int segment = _dice.Below(1 << _segmentBits);
        int index = _dice.Of(0, 1, 127, _dice.Below(128), _dice.Below(140));
        ulong at = DeviceTable + (ulong)segment * 0x1000 + (ulong)index * 32;
        _devices.Add((uint)(segment << (16 - _segmentBits) | index));
        _mapped.RemoveAll(mapped => mapped.Device == _devices[^1]);
        (ulong root, int mode) = _dice.From(_hosts);
        int host = _hosts.IndexOf((root, mode));
        if (_dice.OneIn(8))
        {
            (root, mode) = (0, 0);
        }

        ulong low = Bits.DteLow(root, mode, Rights());
        ulong middle = 0x100 + (ulong)host;
        ulong upper = 0;
        if (_gcr3s.Count > 0 && !_dice.OneIn(8))
        {
            (ulong gcr3, int glx) = _dice.From(_gcr3s);
            glx = _dice.OneIn(12) ? _dice.Below(4) : glx;
            if (!_dice.OneIn(4))
            {
                host = _dice.Of(0x50, 0, 1, 1); // where the guest's tables are mapped
                (root, mode) = host == 0x50 ? (0, 0) : _hosts[host];
                low = Bits.DteLow(root, mode, Rights());
                middle = 0x100 + (ulong)host;
            }

            low |= 1UL << 55 | (_dice.OneIn(2) ? 1UL << 54 : 0) | (gcr3 >> 12 & 7) << 58 | (ulong)glx << 56;
            middle |= (gcr3 >> 15 & 0xFFFF) << 16 | (gcr3 >> 31) << 43;
            upper |= (ulong)(_dice.OneIn(12) ? 5 - _guestLevels : _guestLevels - 4) << 54;
            foreach ((uint pasid, ulong guest) in _guestsOfGcr3s[gcr3])
            {
                _mapped.AddRange(_addressesOfGuests.GetValueOrDefault(guest, []).Select(address => (_devices[^1], pasid, address)));
            }
        }

        low |= (Twins.Efr & (Mmio.PprSup | Mmio.EphSup)) == 0 || _dice.OneIn(4) ? 0 : 1UL << 52; // PPR
        low &= _dice.OneIn(12) ? ~Bits.TV : ulong.MaxValue;
        low &= _dice.OneIn(12) ? ~Bits.V : ulong.MaxValue;
        low ^= _dice.OneIn(8) ? _dice.Bit(0, 63) : 0;
        middle |= (_dice.OneIn(6) ? Bits.SE : 0) | (_dice.OneIn(8) ? Bits.SA : 0) | (_dice.OneIn(3) ? Bits.EX : 0);
        middle |= _dice.OneIn(4) ? 0 : 1UL << 32; // I: ATS
        middle ^= _dice.OneIn(12) ? _dice.Bit(0, 63) : 0;
        upper |= (_dice.OneIn(2) ? Bits.IV : 0) | _dice.Field(61, 60) | _dice.Field(4, 1);
        upper ^= _dice.OneIn(12) ? _dice.Bit(0, 63) : 0;
        Twins.Store(at, low);
        Twins.Store(at + 8, middle);
        Twins.Store(at + 16, upper);
        Twins.Store(at + 24, _dice.OneIn(12) ? _dice.Bit(0, 63) : 0);
    }
}
