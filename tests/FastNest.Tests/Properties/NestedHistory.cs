using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Two machines' worth of nested tables whose entries change and are invalidated at random. What hardware may answer is
/// computed by brute force: each changeable entry that a translation reads may have any value that it had since the last
/// completed invalidation that covers it, each read on its own; the reference is run over every combination.
/// </summary>
internal sealed class NestedHistory : IReferenceMemory, IDisposable
{
    private const ulong DeviceTable = 0x1000;
    private const ulong CommandRing = 0x2000;
    private const ulong Semaphore = 0x3000;
    private const ulong GuestTables = 0x10_0000;
    private const ulong Gcr3Tables = 0x18_0000;
    private const ulong HostTables = 0x1C_0000;
    private const ulong DataPages = 0x20_0000;
    private const ulong MemorySize = 0x20_0000;
    private const int Roots = 3;
    private const int DataCount = 4;
    private const int MaximumRuns = 4000;
    private const ulong GuestBits = 0x67;

    private static readonly ulong[] Iovas = [0x0000, 0x1000, 0x20_0000, 0x20_1000];
    private static readonly uint[] Pasids = [1, 2];

    private readonly Dice _dice;
    private readonly GuestPhysicalSpace _space = new();
    private readonly AmdIommu _iommu;
    private readonly ReferenceIommu _reference;
    private readonly TranslationPort[] _ports;
    private readonly Dictionary<ulong, Entry> _entries = [];
    private readonly Cleared _cleared = new();
    private readonly List<string> _log = [];
    private readonly List<int> _choices = [];
    private readonly List<int> _widths = [];
    private TranslationRequest _request;
    private int _reads;
    private int _now;
    private ulong _tail;
    private ulong _ticket;

    public NestedHistory(Dice dice)
    {
        _dice = dice;
        _space.AddOwned(0, MemorySize);
        Build();
        IommuFeatures features = IommuFeatures.Built;
        _iommu = new(_space, new() { Features = features });
        _reference = new(this, features.ExtendedFeatures, features.ExtendedFeatures2);
        // Accessed and Dirty updates off in the guest's tables: memory changes only by the history's own hand.
        Write(Mmio.DeviceTableBase, DeviceTable);
        Write(Mmio.CommandBase, CommandRing | 8UL << 56);
        Write(Mmio.Control, Mmio.IommuEn | Mmio.CmdBufEn | 1UL << 16 | 1UL << 48 | 1UL << 54 | 1UL << 58);
        _ports =
        [
            _iommu.OpenPort(null, AnyStrategy()),
            _iommu.OpenPort(CacheOptions.Smallest, AnyStrategy()),
            _iommu.OpenPort(new() { ContextEntries = 2, IotlbSets = 2, IotlbWays = 1, NestedTlbSets = 2, NestedTlbWays = 1, GuestTableEntries = 2, HostTableEntries = 2, Tags = 9 }, AnyStrategy()),
            _iommu.OpenPort(new() { IotlbSets = 0 }, AnyStrategy()),
            _iommu.OpenPort(new() { NestedTlbSets = 0, HostTableEntries = 0 }, AnyStrategy()),
            _iommu.OpenPort(new() { GuestTableEntries = 0, ContextEntries = 0 }, AnyStrategy()),
        ];
    }

    private WalkStrategy AnyStrategy() => _dice.From(WalkStrategies.Supported);

    public void Dispose() => _space.Dispose();

    public void Step()
    {
        switch (_dice.Below(10))
        {
            case 0 or 1:
                Change(_dice.From([.. _entries.Values]));
                break;
            case 2 or 3:
                Invalidate();
                break;
            default:
                Translate();
                break;
        }
    }

    bool IReferenceMemory.TryRead64(ulong address, out ulong value)
    {
        if (!_entries.TryGetValue(address, out Entry? entry))
        {
            return _space.Load64(address, out value) == MemoryStatus.Ok;
        }

        List<ulong> possible = entry.Since(_cleared.Of(entry, in _request));
        if (_reads == _choices.Count)
        {
            _choices.Add(0);
            _widths.Add(possible.Count);
        }

        value = possible[_choices[_reads++]];
        return true;
    }

    bool IReferenceMemory.TryWrite64(ulong address, ulong value) => throw new InvalidOperationException("the reference writes nothing here");

    private static ulong GuestRoot(int root) => GuestTables + (ulong)root * 0x8000;

    private static ulong Gcr3(int table) => Gcr3Tables + (ulong)table * 0x1000;

    private static ulong HostRoot(int domain) => HostTables + (ulong)domain * 0x8000;

    private void Write(ulong offset, ulong value)
    {
        _iommu.Write(offset, 8, value);
        _reference.RestoreRegister(offset, value);
    }

    private void Put(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, _space.Store64(address, value));

    private void Add(EntryKind kind, ulong address, int domain, ulong served, Func<ulong> next)
    {
        var entry = new Entry(kind, address, domain, served, next);
        _entries.Add(address, entry);
        Put(address, entry.Set(_now, next()));
    }

    private void Build()
    {
        for (int root = 0; root < Roots; root++)
        {
            BuildGuest(GuestRoot(root));
        }

        for (int table = 0; table < 2; table++)
        {
            foreach (uint pasid in Pasids)
            {
                Add(EntryKind.Gcr3, Gcr3(table) + pasid * 8, 0, pasid, () => _dice.OneIn(8) ? 0 : GuestRoot(_dice.Below(Roots)) | 1);
            }
        }

        for (int domain = 0; domain < 2; domain++)
        {
            BuildHost(domain, HostRoot(domain));
        }

        for (uint device = 0; device < 3; device++)
        {
            // Devices 0 and 1 share domain 1. One quadword decides, so that an entry has one value at a time.
            int domain = device < 2 ? 0 : 1;
            Put(DeviceTable + device * 32 + 8, (ulong)(domain + 1) | (Gcr3Tables >> 15 & 0xFFFF) << 16);
            Add(EntryKind.Device, DeviceTable + device * 32, domain, device, () =>
                Bits.DteLow(HostRoot(domain), 3, _dice.Of(Bits.IR | Bits.IW, Bits.IR | Bits.IW, Bits.IR)) | 1UL << 55
                | (Gcr3(_dice.Below(2)) >> 12 & 7) << 58);
        }
    }

    private void BuildGuest(ulong root)
    {
        Put(root, (root + 0x1000) | GuestBits);
        Put(root + 0x1000, (root + 0x2000) | GuestBits);
        for (ulong slot = 0; slot < 2; slot++)
        {
            Add(EntryKind.Guest, root + 0x2000 + slot * 8, 0, slot << 21, () => _dice.Below(8) switch
            {
                0 => 0,
                1 => DataPages | GuestBits | 0x80,
                _ => (root + 0x3000 + (ulong)_dice.Below(2) * 0x1000) | GuestBits,
            });
        }

        for (ulong table = 0; table < 2; table++)
        {
            for (ulong page = 0; page < 2; page++)
            {
                Add(EntryKind.Guest, root + 0x3000 + table * 0x1000 + page * 8, 0, page << 12, () =>
                    _dice.OneIn(6) ? 0 : (DataPages + ((ulong)_dice.Below(DataCount) << 12)) | _dice.Of(0x67UL, 0x67UL, 0x65UL));
            }
        }
    }

    /// <summary>Guest physical memory below 2 MiB one to one, in single pages; above it the data pages.</summary>
    private void BuildHost(int domain, ulong root)
    {
        Put(root, Bits.Pde(root + 0x1000, 2));
        Put(root + 0x1000, Bits.Pde(root + 0x2000, 1));
        for (ulong page = 0; page < 512; page++)
        {
            Put(root + 0x2000 + page * 8, Bits.Pte(page << 12));
        }

        // One guest table's page moves about: to the other table of its root, which has other entries.
        ulong moving = GuestRoot(0) + 0x3000;
        Add(EntryKind.Host, root + 0x2000 + (moving >> 12) * 8, domain, moving, () => Bits.Pte(_dice.Of(moving, moving, moving + 0x1000)));
        Add(EntryKind.HostDirectory, root + 0x1008, domain, DataPages, () => _dice.Below(6) switch
        {
            0 => 0,
            1 => Bits.Pte(0x4000_0000 + ((ulong)_dice.Below(8) << 21)),
            _ => Bits.Pde(root + 0x3000 + (ulong)_dice.Below(2) * 0x1000, 1),
        });
        for (ulong table = 0; table < 2; table++)
        {
            for (ulong page = 0; page < DataCount; page++)
            {
                Add(EntryKind.Host, root + 0x3000 + table * 0x1000 + page * 8, domain, DataPages + (page << 12), () =>
                    _dice.OneIn(6) ? 0 : Bits.Pte((ulong)_dice.Between(0x8_0000, 0x8_00FF) << 12, _dice.Of(Bits.IR | Bits.IW, Bits.IR | Bits.IW, Bits.IR)));
            }
        }
    }

    private void Change(Entry entry)
    {
        ulong value = entry.Set(++_now, entry.Next());
        Put(entry.Address, value);
        _log.Add($"{_now}: {entry.Kind} {entry.Address:x} = {value:x}");
    }

    private void Invalidate()
    {
        int domain = _dice.Below(2);
        uint pasid = _dice.From(Pasids);
        ulong iova = _dice.From(Iovas);
        ulong gpa = _dice.OneIn(3) ? GuestRoot(0) + 0x3000 : DataPages + ((ulong)_dice.Below(DataCount) << 12);
        uint device = (uint)_dice.Below(3);
        ulong pages = 3UL << 60 | (ulong)(domain + 1) << 32;
        ulong everything = 0x7FFF_FFFF_FFFF_F000;
        _now++;
        (string what, ulong low, ulong high) = _dice.Below(8) switch
        {
            0 or 1 => ("PASID page", pages | pasid, iova | 6UL),
            2 => ("PASID", pages | pasid, everything | 7UL),
            3 or 4 => ("domain page", pages, gpa | 2UL),
            5 => ("domain", pages, everything | 3UL),
            6 => ("device", 2UL << 60 | device, 0UL),
            _ => ("all", 8UL << 60, 0UL),
        };
        Send(low, high);
        Send(1UL << 60 | Semaphore | 1, ++_ticket);
        Assert.Equal(MemoryStatus.Ok, _space.Load64(Semaphore, out ulong stored));
        Assert.Equal(_ticket, stored);
        _cleared.Note(what, _now, domain, pasid, iova, gpa, device);
        _log.Add($"{_now}: invalidate {what}, domain {domain}, PASID {pasid}, iova {iova:x}, gpa {gpa:x}, device {device}");
    }

    private void Send(ulong low, ulong high)
    {
        Put(CommandRing + _tail, low);
        Put(CommandRing + _tail + 8, high);
        _tail = (_tail + 16) & 0xFFF;
        _iommu.Write(Mmio.CommandTail, 4, _tail);
    }

    private void Translate()
    {
        _request = new(new((uint)_dice.Below(3)), _dice.From(Pasids), _dice.From(Iovas) + (ulong)_dice.Below(0x1000), _dice.Of(Access.Read, Access.Write));
        int number = _dice.Below(_ports.Length);
        TranslationResult result = Repeated.Ask(_ports[number], in _request, _dice);
        string actual = Describe(in result);
        var allowed = new HashSet<string>();
        _choices.Clear();
        _widths.Clear();
        for (int run = 0; run < MaximumRuns; run++)
        {
            _reads = 0;
            allowed.Add(Describe(_reference.Translate(in _request)));
            if (allowed.Contains(actual) || !NextCombination())
            {
                break;
            }
        }

        Assert.True(
            allowed.Contains(actual),
            $"port {number}, {_request}: {actual} is none of {string.Join("; ", allowed.Order())}\n{string.Join('\n', _log.TakeLast(60))}");
    }

    /// <summary>Advances the last read whose values are not used up, and forgets those after it.</summary>
    private bool NextCombination()
    {
        for (int i = _reads - 1; i >= 0; i--)
        {
            if (++_choices[i] < _widths[i])
            {
                _choices.RemoveRange(i + 1, _choices.Count - i - 1);
                _widths.RemoveRange(i + 1, _widths.Count - i - 1);
                return true;
            }
        }

        return false;
    }

    private string Describe(in TranslationResult result)
    {
        IommuEvent entry = AmdIommu.Describe(in _request, in result);
        return result.Succeeded ? $"{result.Address:x} {result.Permissions}" : $"event {entry.Word0:x} {entry.Word1:x}";
    }

    private static string Describe(ReferenceAnswer answer) => answer.OutputAddress is { } output
        ? $"{output:x} {answer.Permissions}"
        : $"event {answer.Event?.Low:x} {answer.Event?.High:x}";

    private enum EntryKind
    {
        Device,
        Gcr3,
        Guest,
        Host,
        HostDirectory,
    }

    /// <param name="Kind">What it is.</param>
    /// <param name="Address">Where it stands.</param>
    /// <param name="Domain">The host domain, for a host entry.</param>
    /// <param name="Served">The guest physical page that a host entry serves, or the device.</param>
    /// <param name="Next">Makes a value.</param>
    private sealed record Entry(EntryKind Kind, ulong Address, int Domain, ulong Served, Func<ulong> Next)
    {
        private readonly List<(int Time, ulong Value)> _values = [];

        public ulong Set(int time, ulong value)
        {
            _values.Add((time, value));
            return value;
        }

        /// <summary>Every value that it had at a time or later, the newest first.</summary>
        public List<ulong> Since(int time)
        {
            var values = new List<ulong>();
            for (int i = _values.Count - 1; i >= 0; i--)
            {
                if (!values.Contains(_values[i].Value))
                {
                    values.Add(_values[i].Value);
                }

                if (_values[i].Time <= time)
                {
                    break;
                }
            }

            return values;
        }
    }

    /// <summary>When what was last invalidated.</summary>
    private sealed class Cleared
    {
        private readonly int[] _devices = new int[3];
        private readonly int[] _domains = new int[2];
        private readonly Dictionary<(int, uint), int> _pasids = [];
        private readonly Dictionary<(int, uint, ulong), int> _pasidPages = [];
        private readonly Dictionary<(int, ulong), int> _domainPages = [];
        private int _all;

        public void Note(string what, int now, int domain, uint pasid, ulong iova, ulong gpa, uint device)
        {
            switch (what)
            {
                case "PASID page":
                    _pasidPages[(domain, pasid, iova)] = now;
                    break;
                case "PASID":
                    _pasids[(domain, pasid)] = now;
                    break;
                case "domain page":
                    _domainPages[(domain, gpa)] = now;
                    break;
                case "domain":
                    _domains[domain] = now;
                    break;
                case "device":
                    _devices[device] = now;
                    break;
                default:
                    _all = now;
                    break;
            }
        }

        public int Of(Entry entry, in TranslationRequest request)
        {
            int domain = request.Device.Value < 2 ? 0 : 1;
            ulong page = request.Iova & ~0xFFFUL;
            int nested = Math.Max(_domains[domain], _pasids.GetValueOrDefault((domain, request.Pasid)));
            return Math.Max(_all, entry.Kind switch
            {
                EntryKind.Device => _devices[entry.Served],
                EntryKind.Gcr3 => nested,
                EntryKind.Guest => Math.Max(nested, _pasidPages.GetValueOrDefault((domain, request.Pasid, page))),
                EntryKind.Host => Math.Max(_domains[domain], _domainPages.GetValueOrDefault((domain, entry.Served))),
                _ => _domains[domain],
            });
        }
    }
}
