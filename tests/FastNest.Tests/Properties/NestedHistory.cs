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
/// Two machines' worth of nested tables whose entries change and are invalidated at random; devices with and without PASIDs
/// and ATS ask, alone and in batches. Every answer must be one that the reference's history allows.
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
    private const ulong GuestBits = 0x67;

    private static readonly ulong[] Iovas = [0x0000, 0x1000, 0x20_0000, 0x20_1000];
    private static readonly uint[] Pasids = [1, 2];

    private readonly Dice _dice;
    private readonly GuestPhysicalSpace _space = new();
    private readonly AmdIommu _iommu;
    private readonly ReferenceHistory _history;
    private readonly ReferenceIommu _present;
    private readonly TranslationPort[] _ports;
    private readonly Dictionary<ulong, Entry> _entries = [];
    private readonly List<string> _log = [];
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
        _history = new(this, features.ExtendedFeatures, features.ExtendedFeatures2);
        _present = new(this, features.ExtendedFeatures, features.ExtendedFeatures2);
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
        switch (_dice.Below(12))
        {
            case 0 or 1:
                Change(_dice.From([.. _entries.Values]));
                break;
            case 2:
                Invalidate();
                break;
            default:
                Translate();
                break;
        }
    }

    /// <summary>How many answers were of a past that memory no longer shows.</summary>
    public int StaleAnswers { get; private set; }

    bool IReferenceMemory.TryRead64(ulong address, out ulong value) => _space.Load64(address, out value) == MemoryStatus.Ok;

    bool IReferenceMemory.TryWrite64(ulong address, ulong value) => _space.Store64(address, value) == MemoryStatus.Ok;

    private static ulong GuestRoot(int root) => GuestTables + (ulong)root * 0x8000;

    private static ulong Gcr3(int table) => Gcr3Tables + (ulong)table * 0x1000;

    private static ulong HostRoot(int domain) => HostTables + (ulong)domain * 0x8000;

    private void Write(ulong offset, ulong value)
    {
        _iommu.Write(offset, 8, value);
        _history.RestoreRegister(offset, value);
        _present.RestoreRegister(offset, value);
    }

    private void Put(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, _space.Store64(address, value));

    private void Add(EntryKind kind, ulong address, Func<ulong> next)
    {
        _entries.Add(address, new(kind, address, next));
        Put(address, next());
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
                Add(EntryKind.Gcr3, Gcr3(table) + pasid * 8, () => _dice.OneIn(8) ? 0 : GuestRoot(_dice.Below(Roots)) | 1);
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
            Put(DeviceTable + device * 32 + 8, 1UL << 32 | (uint)(domain + 1) | Bits.GuestMiddle(Gcr3Tables));
            Add(EntryKind.Device, DeviceTable + device * 32, () =>
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
            Add(EntryKind.Guest, root + 0x2000 + slot * 8, () => _dice.Below(8) switch
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
                Add(EntryKind.Guest, root + 0x3000 + table * 0x1000 + page * 8, () =>
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
        Add(EntryKind.Host, root + 0x2000 + (moving >> 12) * 8, () => Bits.Pte(_dice.Of(moving, moving, moving + 0x1000)));
        Add(EntryKind.HostDirectory, root + 0x1008, () => _dice.Below(6) switch
        {
            0 => 0,
            1 => Bits.Pte(0x4000_0000 + ((ulong)_dice.Below(8) << 21)),
            _ => Bits.Pde(root + 0x3000 + (ulong)_dice.Below(2) * 0x1000, 1),
        });
        for (ulong table = 0; table < 2; table++)
        {
            for (ulong page = 0; page < DataCount; page++)
            {
                Add(EntryKind.Host, root + 0x3000 + table * 0x1000 + page * 8, () =>
                    _dice.OneIn(6) ? 0 : Bits.Pte((ulong)_dice.Between(0x8_0000, 0x8_00FF) << 12, _dice.Of(Bits.IR | Bits.IW, Bits.IR | Bits.IW, Bits.IR)));
            }
        }
    }

    private void Change(Entry entry)
    {
        ulong value = entry.Next();
        Assert.True(_history.TryWrite64(entry.Address, value));
        _now++;
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
        _history.CompleteWait();
        _log.Add($"{_now}: invalidate {what}, domain {domain}, PASID {pasid}, iova {iova:x}, gpa {gpa:x}, device {device}");
    }

    private void Send(ulong low, ulong high)
    {
        _history.Submit(low, high);
        Put(CommandRing + _tail, low);
        Put(CommandRing + _tail + 8, high);
        _tail = (_tail + 16) & 0xFFF;
        _iommu.Write(Mmio.CommandTail, 4, _tail);
    }

    private void Translate()
    {
        ulong iova = _dice.From(Iovas) + (ulong)_dice.Below(0x1000);
        var device = new DeviceId((uint)_dice.Below(3));
        Access access = _dice.Of(Access.Read, Access.Write);
        TranslationRequest request = _dice.OneIn(5)
            ? new(device, DataPages + iova, access)
            : new(device, _dice.From(Pasids), iova, access);
        request = request with
        {
            Kind = _dice.OneIn(8) ? _dice.Of(RequestKind.Translation, RequestKind.Translated) : RequestKind.Untranslated,
        };
        int number = _dice.Below(_ports.Length);
        TranslationResult result = Repeated.Ask(_ports[number], in request, _dice);
        IReadOnlyCollection<ReferenceAllowedAnswer> allowed = _history.Allowed(request);
        ReferenceAllowedAnswer actual = Of(in request, in result);
        Assert.True(
            allowed.Contains(actual),
            $"port {number}, {request}: {actual} is none of {string.Join("; ", allowed)}\n{string.Join('\n', _log.TakeLast(60))}");
        StaleAnswers += actual == ReferenceAllowedAnswer.Of(_present.Translate(request)) ? 0 : 1;
    }

    private static ReferenceAllowedAnswer Of(in TranslationRequest request, in TranslationResult result)
    {
        IommuEvent entry = AmdIommu.Describe(in request, in result);
        return result.Succeeded
            ? new(result.Address, result.PageShift, result.Permissions, result.IsMessage, null)
            : new(null, 0, Access.None, false, entry.Code == EventCode.None ? null : new ReferenceEvent(entry.Word0, entry.Word1));
    }

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
    /// <param name="Next">Makes a value.</param>
    private sealed record Entry(EntryKind Kind, ulong Address, Func<ulong> Next);
}
