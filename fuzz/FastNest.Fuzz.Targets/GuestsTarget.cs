using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Fuzz.Targets;

/// <summary>
/// Guests served by hardware (readings 90 to 106): whatever guests, their host and their devices do, registers, rings, logs,
/// answers and memory are the reference's.
/// </summary>
internal sealed class GuestsTarget : IFuzzTarget
{
    public string Name => "guests";

    public string Description => "two guests' rings, registers and id tables, their host and devices: everything against the reference";

    public void Run(ReadOnlyMemory<byte> input, FuzzTally tally) => Play(new(input), tally).Dispose();

    /// <summary>Plays the life of two guests, their host and their devices.</summary>
    /// <returns>How it ended; the caller's to dispose.</returns>
    public static GuestTwins Play(Dice dice, FuzzTally tally)
    {
        var machine = new GuestTwins(dice);
        using TranslationPort port = machine.Twins.Engine.OpenPort(CacheOptions.None);
        for (int guest = 0; guest < GuestTwins.Ids.Length; guest++)
        {
            Start(machine, guest, dice);
        }

        for (int i = 0; i < 250; i++)
        {
            string step = Step(machine, port, dice, i);
            machine.AssertSame(step);
            tally.Operations++;
            tally.Note((ulong)machine.Twins.Reference.GuestCommands.Count << 8 | machine.Twins.Engine.Read(Mmio.Status, 8));
        }

        machine.Twins.AssertSameMemory("at the end");
        return machine;
    }

    private static void Start(GuestTwins machine, int guest, Dice dice)
    {
        machine.WriteControl(guest, 0x10, 8, (0x10UL + (ulong)guest) << 16);
        machine.WriteControl(guest, 0x28, 8, 0x2000 | 8 | 3 << 8);
        machine.WriteControl(guest, 0x30, 8, 0x3000UL << 4 | 8 | 7 << 8);
        machine.WriteControl(guest, 0x20, 8, 0x1000 | 8 | 3 << 8);
        for (ushort id = 0; id < 8; id++)
        {
            if (!dice.OneIn(4))
            {
                machine.WriteControl(guest, dice.Of<ulong>(0, 8), 8, MapWord(dice, id));
            }
        }
    }

    private static string Step(GuestTwins machine, TranslationPort port, Dice dice, int step)
    {
        int guest = dice.Below(2);
        switch (dice.Below(20))
        {
            case 0:
                machine.RunGuests();
                return $"step {step}: turns";
            case 1:
                ulong offset = dice.OneIn(3) ? (ulong)dice.Below(0x1000) : dice.Of<ulong>(0, 8, 0x10, 0x18, 0x20, 0x30, 0x38, 0x80);
                machine.WriteVf(guest, offset, dice.Of(1, 2, 4, 8), dice.Of<ulong>(0, dice.Word(), dice.Field(11, 4)));
                return $"step {step}: VF {offset:x}";
            case 2:
                return WriteControl(machine, guest, dice, step);
            case 3:
                Start(machine, guest, dice);
                return $"step {step}: start";
            case 4:
                ulong control = machine.ReadControl(guest, 0x20);
                machine.WriteControl(guest, 0x20, 8, control & ~(1UL << 8));
                machine.WriteControl(guest, 0x20, 8, control | 1 << 8);
                return $"step {step}: command ring enabled anew";
            case 5:
                control = machine.ReadControl(guest, 0x28);
                machine.WriteControl(guest, 0x28, 8, control & ~(1UL << 8));
                machine.WriteVf(guest, 0x20, 4, dice.Of<ulong>(0xFF, 0));
                machine.WriteControl(guest, 0x28, 8, control | 1 << 8);
                return $"step {step}: event log enabled anew";
            case 6:
                machine.StoreInGuest(guest, dice.Word() & ~7UL, dice.Of<ulong>(0, dice.Word(), dice.Field(15, 12) | 7, dice.Field(15, 12) | 1));
                return $"step {step}: guest memory";
            case 7:
                machine.Twins.Write(Mmio.Control, machine.Usual ^ dice.Of(0UL, 0UL, 1UL << 52, 1UL << 53, Mmio.IommuEn, GuestTwins.PprEn));
                return $"step {step}: host's control";
            case 8:
                machine.SendFromHost(HostCommand(dice), HostCommand(dice));
                return $"step {step}: host's commands";
            case 9 or 10 or 11 or 12:
                return Request(machine, port, guest, dice, step);
            case 13:
                machine.Twins.Write(Mmio.EventHead, 4, machine.Twins.Engine.Read(Mmio.EventTail, 8));
                machine.WriteVf(guest, 0x10, 4, machine.ReadVf(guest, 0x18));
                return $"step {step}: logs read";
            default:
                var commands = new (ulong, ulong)[dice.Between(1, 5)];
                foreach (ref (ulong, ulong) command in commands.AsSpan())
                {
                    command = GuestCommand(dice);
                }

                machine.SendFromGuest(guest, commands);
                return $"step {step}: guest {guest}: {string.Join(", ", commands.Select(static c => $"{c.Item1:x} {c.Item2:x}"))}";
        }
    }

    private static string WriteControl(GuestTwins machine, int guest, Dice dice, int step)
    {
        ulong offset = (ulong)dice.Below(8) * 8;
        int size = dice.Of(4, 8, 8, 8);
        ulong value = offset switch
        {
            0 or 8 => MapWord(dice, (ushort)dice.Below(8)),
            0x10 => dice.Of(0UL, 0x10UL << 16, 0x11UL << 16, dice.Field(31, 16)),
            _ => dice.Of(dice.Word() & 0xFFFF | (ulong)dice.Below(8) << 12, dice.Word()),
        };
        offset += size == 4 && dice.OneIn(2) ? 4UL : 0;
        machine.WriteControl(guest, offset, size, value);
        return $"step {step}: guest {guest}: VFCNTL {offset:x} = {value:x} ({size})";
    }

    private static ulong MapWord(Dice dice, ushort id) =>
        (dice.OneIn(8) ? 0 : 1UL << 63) | (ulong)(uint)(dice.OneIn(8) ? dice.Below(0x10000) : id) << 46
            | dice.Of<ulong>(0, 0x20, 0x22) << 14 | (dice.OneIn(8) ? 0 : 1UL);

    private static (ulong, ulong) GuestCommand(Dice dice) => dice.Below(16) switch
    {
        0 => dice.OneIn(2) ? (dice.Word(), dice.Word()) : Bits.Command(dice.Below(16)),
        1 => dice.OneIn(3) ? Bits.Command(dice.Between(1, 8), dice.Bit(0, 59)) : Bits.Command(1, 2),
        2 or 3 or 4 => Bits.StoreWait(dice.Of(0x4000UL, dice.Field(15, 3), dice.Field(17, 3)), dice.Word()),
        5 => Bits.Command(1, 2),
        6 or 7 or 8 => Bits.Command(3, (ulong)dice.Below(9) << 32 | dice.Field(19, 0), (dice.Word() & ~0xFFFUL) | dice.Field(2, 0)),
        9 or 10 => Bits.Command(4, (ulong)dice.Below(9), dice.Word() & ~0xFFFUL | dice.Of<ulong>(0, 1, 4, 5)),
        11 or 12 => Bits.Command(7, (uint)dice.Below(9) | dice.Field(51, 32), dice.Field(47, 32) | dice.Of<ulong>(0, 4)),
        13 => Bits.InvalidateDevice((uint)dice.Below(9)),
        14 => Bits.Command(dice.Of(5, 6), (ulong)dice.Below(9)),
        _ => dice.OneIn(3) ? Bits.Command(dice.Of(8, 9, 10)) : Bits.Command(1),
    };

    private static (ulong, ulong) HostCommand(Dice dice)
    {
        ushort id = dice.From(GuestTwins.Ids);
        return dice.Below(8) switch
        {
            0 => Bits.Command(10, id | dice.Of(0UL, 1UL << 27, 1UL << 28, 1UL << 31, 1UL << 31 | 1UL << 28)),
            1 or 2 or 3 => Bits.Command(9, (ulong)(dice.OneIn(5) ? dice.Below(0x10000) : id) << 32),
            4 => Bits.InvalidateAll(),
            _ => Bits.InvalidateDevice((uint)dice.Below(0x28)),
        };
    }

    private static string Request(GuestTwins machine, TranslationPort port, int guest, Dice dice, int step)
    {
        uint device = dice.OneIn(20) ? (uint)dice.Below(128) : GuestTwins.Device(guest, (uint)dice.Below(2));
        uint? pasid = dice.OneIn(3) ? (uint)dice.Below(4) : null;
        ulong address = dice.Of(dice.Field(15, 0), dice.Field(17, 0), dice.Word(), 0xFEE0_0000UL);
        Access access = dice.Of(Access.Read, Access.Write);
        if (dice.OneIn(2))
        {
            bool last = dice.OneIn(2);
            machine.Twins.Engine.RequestPage(new(new(device), pasid, address, access, 7, last));
            machine.Twins.Reference.RequestPage(new(new(device), pasid, address, access, false, 7, last));
            return $"step {step}: page request of {device:x}";
        }

        TranslationRequest request = new Requester(new(device), pasid).Request(address, access) with
        {
            Kind = dice.Of(RequestKind.Untranslated, RequestKind.Untranslated, RequestKind.Translation, RequestKind.Translated),
        };
        TranslationResult result = port.Translate(in request);
        Twins.AssertSame(in request, machine.Twins.Reference.Request(in request), in result, $"step {step}");
        return $"step {step}: {request}";
    }
}
