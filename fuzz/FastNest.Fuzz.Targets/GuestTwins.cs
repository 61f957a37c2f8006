using FastNest.Amd;
using FastNest.Reference;

namespace FastNest.Fuzz.Targets;

/// <summary>
/// Engine and reference with two guests, each of 64 KiB behind a host table, id tables of a page, two devices each, and what of
/// it is missing here and there.
/// </summary>
internal sealed class GuestTwins : IDisposable
{
    public const ulong GuestSize = 0x1_0000;
    public const ulong PprEn = 1 << 15;
    public const ulong Control = Mmio.CmdBufEn | Mmio.EventLogEn | Mmio.EventIntEn | Mmio.IommuEn | Mmio.GTEn | Mmio.PprLogEn | PprEn
        | 1UL << 52 | 1UL << 53 | 1UL << 58;

    private const ulong Efr = Mmio.BuiltEfr | Mmio.PprSup | Mmio.GTSup | Mmio.GIoSup | 1UL << 55 | 1UL << 41;
    private const ulong Efr2 = 1 << 3;
    private const ulong DeviceTable = 0x1000, CommandRing = 0x2000, EventRing = 0x3000, PprRing = 0x4000;
    private const ulong FirstGuest = 0x10_0000;

    private readonly ulong[] _privateRings = new ulong[2];
    private readonly Dictionary<ushort, int> _interruptsSeen = [];
    private ulong _nextTable = 0x8_0000;
    private ulong _tail;

    public GuestTwins(Dice dice)
    {
        Twins = new(Efr, Efr2, dice.Of(1, 3, 512));
        Twins.Add(0, 0x140);
        ulong own = NewTable();
        SetDte(2, Bits.DteLow(own, 4), 0xFF);
        for (int i = 0; i < Ids.Length; i++)
        {
            ulong root = NewTable();
            for (ulong at = 0; at < GuestSize; at += 0x1000)
            {
                if (!dice.OneIn(30))
                {
                    Map(root, at, HostAddress(i) + at, dice.OneIn(30) ? Bits.IR : Bits.IR | Bits.IW);
                }
            }

            SetDte(0x10u + (uint)i, dice.OneIn(30) ? Bits.V : Bits.DteLow(root, 4), 0x10 + (ulong)i);
            foreach (ulong at in new[]
            {
                0x10_0000_0000 + ((ulong)Ids[i] << 20), 0x20_0000_0000 + ((ulong)Ids[i] << 19),
                0x28_0000_0000 + ((ulong)Ids[i] << 19), 0x30_0000_0000 + ((ulong)Ids[i] << 19), 0x40_0000_0000 + ((ulong)Ids[i] << 19),
            })
            {
                if (!dice.OneIn(10))
                {
                    Map(own, at, NewTable(), Bits.IR | Bits.IW);
                }
            }

            for (uint d = 0; d < 2; d++)
            {
                ulong gcr3 = (ulong)dice.Below(16) << 12;
                SetDte(
                    Device(i, d),
                    Bits.DteLow(root, 4) | (dice.OneIn(5) ? 0 : Bits.GuestLow(gcr3) | 1UL << 54) | (dice.OneIn(4) ? 0 : 1UL << 52),
                    0x20 + (ulong)i | Bits.GuestMiddle(gcr3) | (dice.OneIn(4) ? Bits.SE : 0) | (dice.OneIn(4) ? 1UL << 32 : 0),
                    0,
                    (dice.OneIn(8) ? 0 : 1UL << 15) | (ulong)dice.Below(256) << 16 | (ulong)(dice.OneIn(8) ? 0x99 : Ids[i]) << 32);
            }
        }

        Twins.Write(Mmio.DeviceTableBase, DeviceTable);
        Twins.Write(Mmio.CommandBase, CommandRing | 8UL << 56);
        Twins.Write(Mmio.EventBase, EventRing | 8UL << 56);
        Twins.Write(Mmio.PprBase, PprRing | 8UL << 56);
        GuestPhysicalMode = !dice.OneIn(4);
        Twins.Write(Mmio.Control, Usual);
    }

    public static ushort[] Ids { get; } = [0x0001, 0xFFFE];

    public Twins Twins { get; }

    public bool GuestPhysicalMode { get; }

    public ulong Usual => Control | (GuestPhysicalMode ? 1UL << 60 : 0);

    public void Dispose() => Twins.Dispose();

    public static uint Device(int guest, uint number) => 0x20u + (uint)guest * 2 + number;

    public static ulong HostAddress(int guest) => FirstGuest + (ulong)guest * GuestSize;

    public void WriteVf(int guest, ulong offset, int size, ulong value)
    {
        Twins.Engine.Viommu!.VfMmio.Write(((ulong)Ids[guest] << 12) + offset, size, value);
        Twins.Reference.WriteVf(((ulong)Ids[guest] << 12) + offset, size, value);
    }

    public ulong ReadVf(int guest, ulong offset) => Twins.Engine.Viommu!.VfMmio.Read(((ulong)Ids[guest] << 12) + offset, 8);

    public void WriteControl(int guest, ulong offset, int size, ulong value)
    {
        Twins.Engine.Viommu!.VfControl.Write(((ulong)Ids[guest] << 6) + offset, size, value);
        Twins.Reference.WriteVfControl(((ulong)Ids[guest] << 6) + offset, size, value);
    }

    public ulong ReadControl(int guest, ulong offset) => Twins.Engine.Viommu!.VfControl.Read(((ulong)Ids[guest] << 6) + offset, 8);

    public void RunGuests()
    {
        Twins.Engine.Viommu!.RunGuests();
        Twins.Reference.RunGuests();
    }

    public void StoreInGuest(int guest, ulong address, ulong value) =>
        Twins.Store(HostAddress(guest) + (address & (GuestSize - 8)), value);

    /// <summary>Puts commands where the guest's ring is, if it lies within its memory, and rings its bell.</summary>
    public void SendFromGuest(int guest, params ReadOnlySpan<(ulong Low, ulong High)> commands)
    {
        ulong tail = ReadVf(guest, 8);
        ulong basis = ReadControl(guest, 0x20);
        ulong length = 16UL << (int)Math.Max(8, basis & 15);
        foreach ((ulong low, ulong high) in commands)
        {
            ulong at = GuestPhysicalMode
                ? HostAddress(guest) + (((basis & 0xF_FFFF_FFFF_F000) + tail) & (GuestSize - 1))
                : _privateRings[guest] + (tail & 0xFFF);
            Twins.Store(at, low);
            Twins.Store(at + 8, high);
            tail = (tail + 16) & (length - 1);
        }

        WriteVf(guest, 8, 4, tail);
    }

    public void SendFromHost(params ReadOnlySpan<(ulong Low, ulong High)> commands)
    {
        foreach ((ulong low, ulong high) in commands)
        {
            Twins.Store(CommandRing + _tail, low);
            Twins.Store(CommandRing + _tail + 8, high);
            _tail = (_tail + 16) & 0xFFF;
        }

        Twins.Write(Mmio.CommandTail, 4, _tail);
    }

    /// <summary>Everything that host and guests can see.</summary>
    public void AssertSame(string where)
    {
        Twins.AssertSameInterrupts(where);
        Twins.AssertSameResponses(where);
        Twins.AssertSameRegisters(where, Twins.Registers);
        Agreement.RequireSame(Twins.Reference.GuestCommands.Count, Twins.Engine.Viommu!.CommandsExecuted);
        Agreement.Require(
            Twins.Reference.GuestDeviceInvalidations.Select(static i => i.Device).SequenceEqual(Twins.DeviceTlbs.Select(static i => i.Device)),
            $"{where}: devices {string.Join(", ", Twins.DeviceTlbs)}");
        for (int guest = 0; guest < Ids.Length; guest++)
        {
            for (ulong at = 0; at < 0xA0; at += 8)
            {
                ulong offset = ((ulong)Ids[guest] << 12) + at;
                Same(Twins.Reference.ReadVf(offset, 8), Twins.Engine.Viommu.VfMmio.Read(offset, 8), $"{where}: guest {guest}, VF {at:x}");
            }

            for (ulong at = 0; at < 0x40; at += 8)
            {
                ulong offset = ((ulong)Ids[guest] << 6) + at;
                Same(
                    Twins.Reference.ReadVfControl(offset, 8), Twins.Engine.Viommu.VfControl.Read(offset, 8),
                    $"{where}: guest {guest}, VFCNTL {at:x}");
            }

            AssertSameInterrupts(Ids[guest], where);
        }

        Twins.GuestInterrupts.Clear();
    }

    private static void Same(ulong expected, ulong actual, string what) =>
        Agreement.Require(expected == actual, $"{what} is {actual:x}, reference {expected:x}");

    private void AssertSameInterrupts(ushort id, string where)
    {
        IReadOnlyList<ReferenceInterrupt> all = Twins.Reference.GuestInterrupts(id);
        int seen = _interruptsSeen.GetValueOrDefault(id);
        seen = seen > all.Count ? 0 : seen; // a reset came between
        IommuInterrupt expected = all.Skip(seen).Aggregate(IommuInterrupt.None, static (kinds, one) => kinds | one switch
        {
            ReferenceInterrupt.EventLog => IommuInterrupt.EventLog,
            ReferenceInterrupt.CompletionWait => IommuInterrupt.CompletionWait,
            _ => IommuInterrupt.PprLog,
        });
        _interruptsSeen[id] = all.Count;
        IommuInterrupt actual = Twins.GuestInterrupts.Where(one => one.Guest == id)
            .Aggregate(IommuInterrupt.None, static (kinds, one) => kinds | one.Kind);
        Agreement.Require(expected == actual, $"{where}: guest {id:x} interrupted for {actual}, reference {expected}");
    }

    private ulong NewTable()
    {
        _nextTable += 0x1000;
        return _nextTable - 0x1000;
    }

    private void SetDte(uint device, ulong low, ulong word1, ulong word2 = 0, ulong word3 = 0)
    {
        ulong at = DeviceTable + device * 32;
        Twins.Store(at, low);
        Twins.Store(at + 8, word1);
        Twins.Store(at + 16, word2);
        Twins.Store(at + 24, word3);
    }

    private void Map(ulong root, ulong address, ulong page, ulong rights)
    {
        ulong table = root;
        for (int level = 4; level > 1; level--)
        {
            ulong slot = Bits.Slot(table, level, address);
            if (Twins.Load(slot) == 0)
            {
                Twins.Store(slot, Bits.Pde(NewTable(), level - 1));
            }

            table = Twins.Load(slot) & 0xF_FFFF_FFFF_F000;
        }

        Twins.Store(Bits.Slot(table, 1, address), Bits.Pte(page, rights));
        for (int i = 0; i < Ids.Length; i++)
        {
            if (address == 0x28_0000_0000 + ((ulong)Ids[i] << 19))
            {
                _privateRings[i] = page;
            }
        }
    }
}
