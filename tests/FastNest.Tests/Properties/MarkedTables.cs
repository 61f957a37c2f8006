using FastNest.Engine;
using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Small tables of both stages with random rights and random Accessed and Dirty bits, three devices of one domain that keep
/// marks as their entries say, and software that takes marks back. Engine and reference have their own memory each; after
/// every request their tables must be the same.
/// </summary>
internal sealed class MarkedTables : IDisposable
{
    private const ulong DeviceTable = 0x1000;
    private const ulong CommandRing = 0x2000;
    private const ulong Gcr3 = 0x3000;
    private const ulong HostRoot = 0x1_0000;
    private const ulong HostDirectory = 0x1_1000;
    private const ulong HostOfTables = 0x1_2000;
    private const ulong HostOfData = 0x1_3000;
    private const ulong GuestTables = 0x2_0000;
    private const ulong Data = 0x20_0000;
    private const ulong LargeData = 0x40_0000;
    private const ulong Pages = 4;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong Efr = Mmio.BuiltEfr | Mmio.NXSup | Mmio.GTSup | Mmio.GIoSup | Mmio.HASup | 1UL << 37 | 1UL << 53 | 1UL << 61;

    private readonly Dice _dice;
    private readonly Twins _twins;
    private readonly TranslationPort _port;
    private readonly List<(ulong Address, bool IsHost)> _entries = [];
    private ulong _tail;

    public MarkedTables(Dice dice)
    {
        _dice = dice;
        _twins = new(Efr | (dice.OneIn(4) ? 0 : 1UL << 52));
        _twins.Add(0, 0x30);
        BuildHost();
        BuildGuest();
        for (uint device = 0; device < 3; device++)
        {
            ulong had = dice.Of(0UL, 1UL, 3UL, 3UL) << 7;
            ulong guest = Bits.GuestLow(Gcr3) | (device == 0 ? 1UL << 54 : 0);
            _twins.Store(DeviceTable + device * 32, Bits.DteLow(HostRoot, 3, Weak(dice.OneIn(3))) | had | guest);
            _twins.Store(DeviceTable + device * 32 + 8, 0x77 | Bits.GuestMiddle(Gcr3));
        }

        _twins.Store(Gcr3, GuestTables | 1);
        _twins.Store(Gcr3 + 8, GuestTables | 1);
        _twins.Write(Mmio.DeviceTableBase, DeviceTable);
        _twins.Write(Mmio.CommandBase, CommandRing | 8UL << 56);
        ulong update = dice.Of(0UL, 1UL, 2UL, 3UL, 3UL, 3UL) << 46 | (dice.OneIn(3) ? 1UL << 48 : 0) | (dice.OneIn(3) ? 1UL << 54 : 0);
        _twins.Write(Mmio.Control, Mmio.IommuEn | Mmio.CmdBufEn | Mmio.GTEn | update);
        _port = _twins.Engine.OpenPort(dice.Below(4) switch
        {
            0 => CacheOptions.None,
            1 => CacheOptions.Smallest,
            2 => new() { IotlbSets = 0 },
            _ => new(),
        }, dice.From(WalkStrategies.Supported));
    }

    public void Dispose()
    {
        _port.Dispose();
        _twins.Dispose();
    }

    /// <summary>One request, or marks taken back.</summary>
    public void Step(int number)
    {
        if (_dice.OneIn(12))
        {
            TakeMarksBack();
            return;
        }

        TranslationRequest request = Request();
        ReferenceAnswer expected = _twins.Reference.Request(in request);
        TranslationResult actual = Repeated.Ask(_port, in request, _dice);
        Twins.AssertSame(in request, expected, in actual, $"request {number}");
        foreach ((ulong address, bool isHost) in _entries)
        {
            _twins.Model.TryRead64(address, out ulong model);
            ulong mine = _twins.Load(address);
            // Reading 36 leaves Accessed of the second stage open when a request is refused.
            ulong open = actual.Succeeded || !isHost ? 0 : Accessed;
            if ((mine & model) == model && (mine & ~model & ~open) == 0)
            {
                _twins.Model.TryWrite64(address, mine);
                continue;
            }

            Assert.Fail($"request {number}, {request} -> {actual}: entry {address:x} is {mine:x}, reference {model:x}");
        }
    }

    private TranslationRequest Request()
    {
        var device = new DeviceId((uint)_dice.Below(3));
        Access access = _dice.Of(Access.Read, Access.Write, Access.Write, Access.ReadWrite, Access.Execute);
        ulong offset = (ulong)_dice.Below(0x1000);
        ulong page = (ulong)_dice.Below((int)Pages) << 12;
        return _dice.OneIn(3)
            ? new(device, _dice.Of(Data + page, LargeData + page, GuestTables + page, page) + offset, access)
            : new(device, _dice.Of(0U, 1U, 1U), _dice.Of(page, page, Data + page) + offset, access, _dice.OneIn(2));
    }

    /// <summary>As a hypervisor looks for what was used: the bits are cleared, then the caches.</summary>
    private void TakeMarksBack()
    {
        foreach ((ulong address, _) in _entries)
        {
            if (_dice.OneIn(2))
            {
                _twins.Store(address, _twins.Load(address) & ~_dice.Of(Accessed, Dirty, Accessed | Dirty));
            }
        }

        _twins.Store(CommandRing + _tail, 8UL << 60);
        _twins.Store(CommandRing + _tail + 8, 0);
        _tail = (_tail + 16) & 0xFFF;
        _twins.Write(Mmio.CommandTail, _tail);
    }

    private void BuildHost()
    {
        Put(HostRoot, Bits.Pde(HostDirectory, 2, Weak(_dice.OneIn(12))), true);
        Put(HostDirectory, Bits.Pde(HostOfTables, 1), true);
        Put(HostDirectory + 8, Bits.Pde(HostOfData, 1, Weak(_dice.OneIn(6))), true);
        Put(HostDirectory + 16, Bits.Pte(0x8000_0000, Weak(_dice.OneIn(3))), true);
        for (ulong page = 0; page < Pages; page++)
        {
            ulong table = GuestTables + (page << 12);
            Put(HostOfTables + (table >> 12) * 8, Bits.Pte(table, _dice.OneIn(6) ? Bits.IR : Bits.IR | Bits.IW), true);
            Put(HostOfData + page * 8, Bits.Pte(0x4000_0000 + (page << 12), Weak(_dice.OneIn(3))), true);
        }
    }

    private void BuildGuest()
    {
        for (ulong level = 0; level < 3; level++)
        {
            Put(GuestTables + (level << 12), (GuestTables + ((level + 1) << 12)) | 1 | GuestRights(12), false);
        }

        Put(GuestTables + 0x2008, LargeData | 0x81 | GuestRights(3), false);
        for (ulong page = 0; page < Pages; page++)
        {
            Put(GuestTables + 0x3000 + page * 8, (Data + (page << 12)) | 1 | GuestRights(3), false);
        }
    }

    private void Put(ulong address, ulong entry, bool isHost)
    {
        _entries.Add((address, isHost));
        _twins.Store(address, entry | _dice.Of(0UL, Accessed, Accessed, Accessed | Dirty));
    }

    private ulong GuestRights(int weak) =>
        (_dice.OneIn(weak) ? 0UL : 2) | (_dice.OneIn(weak * 2) ? 0UL : 4) | (_dice.OneIn(weak) ? 1UL << 63 : 0);

    private ulong Weak(bool weak) => weak ? _dice.Of(0UL, Bits.IR, Bits.IR, Bits.IW) : Bits.IR | Bits.IW;
}
