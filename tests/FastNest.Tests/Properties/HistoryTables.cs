using FastNest.Requests;

namespace FastNest.Tests.Properties;

/// <summary>
/// Tables of two domains for histories: each entry of which a history may ask that it be changed. Guest physical addresses
/// below 2 MiB, where all tables are, mostly are what they are in memory; data lies above.
/// </summary>
internal sealed class HistoryTables
{
    public const ulong DeviceTable = 0x1000;
    public const ulong MemorySize = 0x20_0000;
    public const int Devices = 4;

    private const ulong GuestTables = 0x10_0000;
    private const ulong PasidTables = 0x18_0000;
    private const ulong HostTables = 0x1C_0000;
    private const ulong Data = 0x20_0000;
    private const ulong LargeData = 0x40_0000; // 4 MiB in two slots
    private const int Guests = 3;
    private const ulong GuestAll = 0x67; // present, for all, with both marks
    private const ulong ValidBit = 1;

    private readonly Dice _dice;
    private readonly bool _marks;
    private readonly Action<ulong, ulong> _put;
    private readonly List<Action> _changes = [];
    private readonly Dictionary<ulong, Action> _sets = [];
    private readonly List<ulong> _entries = [];
    private bool _calm = true;

    public HistoryTables(Dice dice, bool marks, Action<ulong, ulong> put)
    {
        (_dice, _marks, _put) = (dice, marks, put);
        for (int guest = 0; guest < Guests; guest++)
        {
            BuildGuest(GuestRoot(guest));
        }

        BuildPasidTables();
        for (int host = 0; host < 2; host++)
        {
            BuildHost(HostRoot(host));
        }

        for (int device = 0; device < Devices; device++)
        {
            BuildDevice(device);
        }

        _calm = false;
    }

    public static IReadOnlyList<ulong> Iovas { get; } = [0x0000, 0x1000, 0x20_0000, 0x20_1000];

    public static IReadOnlyList<uint> Pasids { get; } = [0, 1, 2];

    /// <summary>Where host entries change: pages of data, and of tables that move.</summary>
    public static IReadOnlyList<ulong> Gpas { get; } =
        [Data, Data + 0x1000, Data + 0x2000, Data + 0x3000, LargeData, LargeData + 0x20_0000, MovingGuestTable, MovingPasidTable];

    /// <summary>Every entry that may be marked.</summary>
    public IReadOnlyList<ulong> Entries => _entries;

    private static ulong MovingGuestTable => GuestRoot(0) + 0x3000;

    private static ulong MovingPasidTable => PasidTable(0);

    /// <summary>Changes an entry, of those at some addresses if there is one; every other change makes it good.</summary>
    public void Change(IEnumerable<ulong> addresses)
    {
        Action[] near = [.. addresses.Where(_sets.ContainsKey).Select(address => _sets[address])];
        _calm = _dice.OneIn(2);
        (near.Length != 0 && !_dice.OneIn(3) ? _dice.From(near) : _dice.From(_changes))();
        _calm = false;
    }

    public TranslationRequest Request()
    {
        var device = new DeviceId((uint)_dice.Below(Devices));
        Access access = _dice.Of(Access.Read, Access.Read, Access.Write, Access.Write, Access.ReadWrite, Access.Execute);
        ulong offset = (ulong)_dice.Below(0x1000);
        TranslationRequest request = _dice.OneIn(3)
            ? new(device, (_dice.OneIn(2) ? _dice.From(Gpas) : _dice.From(Iovas)) + offset, access)
            : new(device, _dice.From(Pasids), _dice.From(Iovas) + offset, access, _dice.OneIn(3));
        return request with
        {
            Kind = _dice.OneIn(5) ? _dice.Of(RequestKind.Translation, RequestKind.Translation, RequestKind.Translated) : RequestKind.Untranslated,
        };
    }

    private static ulong GuestRoot(int guest) => GuestTables + (ulong)guest * 0x8000;

    private static ulong PasidTable(int table) => PasidTables + (ulong)table * 0x1000;

    private static ulong HostRoot(int host) => HostTables + (ulong)host * 0x8000;

    /// <summary>Whether to do something that mostly gets requests refused.</summary>
    private bool Rarely(int count) => !_calm && _dice.OneIn(count);

    /// <summary>An entry that changes: as often as its weight says.</summary>
    private void Add(ulong address, int weight, Func<ulong> next)
    {
        void Set() => Put(address, next());
        Set();
        _sets[address] = Set;
        _changes.AddRange(Enumerable.Repeat(Set, weight));
    }

    private void Put(ulong address, ulong entry)
    {
        if (!_entries.Contains(address))
        {
            _entries.Add(address);
        }

        // Damage leaves the address alone where marks are kept: they must not go where the history does not look.
        ulong damage = !Rarely(10) ? 0 : _marks ? _dice.Of(1UL << 52, 1UL << 63, 1UL << 8, 1UL) : _dice.Bit(0, 63);
        ulong unmarked = _marks ? _dice.Of(0UL, 0UL, 0x20UL, 0x40UL, 0x60UL) : 0;
        _put(address, entry & ~unmarked ^ damage);
    }

    private ulong GuestRights() => Rarely(3) ? GuestAll & ~_dice.Of(2UL, 4UL) | _dice.Of(0UL, 1UL << 63) : GuestAll;

    private ulong HostRights() => (Rarely(4) ? _dice.Of(Bits.IR, Bits.IR, Bits.IW, 0UL) : Bits.IR | Bits.IW) | (_marks ? 0x60UL : 0);

    private void BuildGuest(ulong root)
    {
        // Of the upper levels mostly the rights change.
        Add(root, 1, () => Rarely(4) ? 0 : (root + 0x1000) | GuestRights());
        Add(root + 0x1000, 1, () => _dice.OneIn(6) ? GuestRights() | 0x80 : (root + 0x2000) | GuestRights());
        for (ulong slot = 0; slot < 2; slot++)
        {
            Add(root + 0x2000 + slot * 8, 3, () => Rarely(6) ? 0 : _dice.Below(6) switch
            {
                0 => _dice.Of(Data, LargeData, LargeData + 0x20_0000) | GuestRights() | 0x80,
                _ => (root + 0x3000 + (ulong)_dice.Below(2) * 0x1000) | GuestRights(),
            });
        }

        for (ulong entry = 0; entry < 4; entry++)
        {
            ulong at = root + 0x3000 + (entry & 1) * 0x1000 + (entry >> 1) * 8;
            Add(at, 3, () => Rarely(4) ? 0 : DataPage() | GuestRights());
        }
    }

    private ulong DataPage() => _dice.OneIn(4) ? LargeData + ((ulong)_dice.Below(4) << 20) : Data + ((ulong)_dice.Below(4) << 12);

    /// <summary>Two tables, and two above them for GLX=1.</summary>
    private void BuildPasidTables()
    {
        for (int table = 0; table < 2; table++)
        {
            foreach (uint pasid in Pasids)
            {
                Add(PasidTable(table) + pasid * 8, 2, () => Rarely(5) ? 0 : GuestRoot(_dice.Below(Guests)) | ValidBit);
            }

            Add(PasidTable(2 + table), 2, () => Rarely(5) ? 0 : PasidTable(_dice.Below(2)) | ValidBit);
        }
    }

    private void BuildHost(ulong root)
    {
        Add(root, 1, () => Bits.Pde(root + 0x1000, 2, HostRights()));
        Add(root + 0x1000, 2, () => _dice.OneIn(4) ? Bits.Pte(0, HostRights()) : Bits.Pde(root + 0x2000, 1, HostRights()));
        for (ulong page = 0; page < 512; page++)
        {
            _entries.Add(root + 0x2000 + page * 8);
            _put(root + 0x2000 + page * 8, Bits.Pte(page << 12));
        }

        // Tables that take the next one's place: other entries of the same guest, of the same PASID.
        foreach (ulong moving in (ulong[])[MovingGuestTable, MovingPasidTable])
        {
            Add(root + 0x2000 + (moving >> 12) * 8, 2, () => Rarely(5) ? 0 : Bits.Pte(moving + (_dice.OneIn(2) ? 0x1000UL : 0), HostRights()));
        }

        Add(root + 0x1008, 3, () => Rarely(6) ? 0 : _dice.Below(6) switch
        {
            0 => Bits.Pte(0x4000_0000 + ((ulong)_dice.Below(8) << 21), HostRights()),
            _ => Bits.Pde(root + 0x3000 + (ulong)_dice.Below(2) * 0x1000, 1, HostRights()),
        });
        for (ulong entry = 0; entry < 8; entry++)
        {
            ulong at = root + 0x3000 + (entry & 1) * 0x1000 + (entry >> 1) * 8;
            Add(at, 2, () => Rarely(4) ? 0 : Bits.Pte((ulong)_dice.Between(0x8_0000, 0x8_00FF) << 12, HostRights()));
        }

        _entries.AddRange([root + 0x1010, root + 0x1018]);
        SetLargePage(root);
        _changes.Add(() => SetLargePage(root));
    }

    /// <summary>4 MiB: the same entry in both slots.</summary>
    private void SetLargePage(ulong root)
    {
        ulong entry = Rarely(4) ? 0 : Bits.SizedPte((ulong)_dice.Between(0x200, 0x2FF) << 22, 22, HostRights());
        _put(root + 0x1010, entry);
        _put(root + 0x1018, entry);
    }

    /// <summary>Devices 0 and 1 share a domain, and device 3 has a domain of its own now and then.</summary>
    private void BuildDevice(int device)
    {
        ulong at = DeviceTable + (ulong)device * 32;
        int host = device < 2 ? 0 : 1;
        Add(at, 3, () =>
        {
            ulong low = Bits.DteLow(HostRoot(Rarely(6) ? 1 - host : host), 3, Rarely(3) ? Bits.IR : Bits.IR | Bits.IW);
            low |= Rarely(5) ? 0 : 1UL << 55;
            low |= _dice.OneIn(3) ? 1UL << 54 : 0;
            low |= (ulong)_dice.Below(2) << 56 is var glx && glx != 0 ? glx | (ulong)_dice.Between(2, 3) << 58 : (ulong)_dice.Below(2) << 58;
            low |= _marks ? 3UL << 7 : 0;
            return low & ~(Rarely(8) ? _dice.Of(Bits.V, Bits.TV) : 0);
        });
        Add(at + 8, 1, () =>
            (ulong)(Rarely(4) ? 2 - host : 1 + host) | (PasidTables >> 15) << 16 | (Rarely(4) ? 0 : 1UL << 32) | (_dice.OneIn(4) ? Bits.EX : 0));
    }
}
