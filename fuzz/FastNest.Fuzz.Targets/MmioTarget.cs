using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Fuzz.Targets;

/// <summary>
/// Accesses to the MMIO space, with random and plausible commands in the ring and devices that fault: after each, every register,
/// the number of commands and the interrupts are the reference's, and at the end all memory.
/// </summary>
/// <remarks>
/// Features whose registers no reading settles between the two are left out: GASup (GALogRun), DualPprLogSup and
/// DualEventLogSup (pointers of the B logs), and DevTblSegSup of 1 and 2 (which segment registers are there).
/// </remarks>
internal sealed class MmioTarget : IFuzzTarget
{
    private const ulong Unsettled = 1UL << 7 | 3UL << 24 | 3UL << 28 | 3UL << 38 | 1UL << 40;
    private const int Steps = 150;

    public string Name => "mmio";

    public string Description => "accesses to registers, commands in the ring, faults: registers, interrupts and memory against the reference";

    public void Run(ReadOnlyMemory<byte> input, FuzzTally tally)
    {
        Play(new(input), tally);
    }

    /// <summary>Plays a machine's life.</summary>
    public static void Play(Dice dice, FuzzTally tally)
    {
        ulong efr = dice.OneIn(3) ? Mmio.BuiltEfr : (dice.Word() & ~Unsettled) | (dice.OneIn(2) ? Mmio.DevTblSeg8 : 0);
        using var twins = new Twins(efr);
        twins.Add(0, 4); // device table
        twins.Add(0x10_0000, 8); // rings, with holes behind them
        twins.Add(0x20_0000, 8);
        using TranslationPort port = twins.Engine.OpenPort(CacheOptions.None);
        for (int step = 0; step < Steps; step++)
        {
            string what = Step(dice, twins, port, step);
            twins.AssertSameInterrupts(what);
            twins.AssertSameRegisters(what, Twins.Registers);
            tally.Operations++;
            tally.Note(twins.Engine.Read(Mmio.Status, 8));
        }

        twins.AssertSameRegisters("at the end", Twins.AllRegisters);
        twins.AssertSameMemory("at the end");
    }

    private static string Step(Dice dice, Twins twins, TranslationPort port, int step)
    {
        switch (dice.Below(20))
        {
            case 0:
                ulong control = Mmio.IommuEn | Mmio.CmdBufEn | Mmio.EventLogEn | dice.Field(4, 3) | dice.Of(0UL, dice.Field(36, 34));
                return Write(twins, step, Mmio.Control, 8, control & ~Mmio.GTEn);
            case 1:
                ulong change = dice.Of<ulong>(Mmio.IommuEn, Mmio.CmdBufEn, Mmio.EventLogEn, Mmio.EventIntEn, Mmio.ComWaitIntEn, dice.Bit(0, 63));
                return Write(twins, step, Mmio.Control, 8, (twins.Engine.Read(Mmio.Control, 8) ^ change) & ~Mmio.GTEn);
            case 2:
                return Write(twins, step, dice.Of(Mmio.CommandBase, Mmio.EventBase), 8, dice.Of(0x10_0000UL, 0x10_7000UL, 0x20_0000UL) | dice.Of<ulong>(7, 8, 8, 8, 9, 15) << 56);
            case 3 or 4 or 5 or 6:
                return Commands(dice, twins, step);
            case 7 or 8 or 9 or 10:
                return Request(dice, twins, port, step);
            case 11:
                twins.Store((ulong)dice.Below(256) * 32, dice.Of<ulong>(0, Bits.V, Bits.V | 4, Bits.DteLow(0, 0, 0), Bits.DteLow(0, 0)));
                twins.Store((ulong)dice.Below(256) * 32 + 8, dice.Of<ulong>(0, Bits.SE, Bits.SA) | dice.Field(2, 0));
                return $"step {step}: device table";
            case 12:
                return Write(twins, step, Mmio.Status, dice.Of(1, 2, 4, 8), dice.Of<ulong>(1, 2, 4, 7, dice.Word()));
            case 13:
                return Write(twins, step, dice.Of(Mmio.EventHead, Mmio.EventTail, Mmio.CommandHead), dice.Of(4, 8), (ulong)dice.Below(600) * 16);
            default:
                int size = dice.OneIn(15) ? dice.Of(0, 3, 5, 16) : dice.Of(1, 2, 4, 8);
                ulong offset = dice.OneIn(10) ? (ulong)dice.Below(0x4100) : dice.Of(Twins.Registers) + dice.Of<ulong>(0, 0, 4, (ulong)dice.Below(8));
                offset = dice.OneIn(10) || size == 0 ? offset : offset / (ulong)size * (ulong)size;
                ulong value = dice.Of<ulong>(0, ulong.MaxValue, dice.Word(), dice.Word() & dice.Word(), dice.Bit(0, 63));
                if (offset / 8 == Mmio.Control / 8)
                {
                    // GTEn stays off: guest tables have their own property.
                    int shift = (int)(offset % 8) * 8;
                    value &= ~(shift <= 16 ? Mmio.GTEn >> shift : 0);
                }

                return Write(twins, step, offset, size, value);
        }
    }

    private static string Write(Twins twins, int step, ulong offset, int size, ulong value)
    {
        twins.Write(offset, size, value);
        return $"step {step}: {size} bytes at {offset:x4} = {value:x}";
    }

    private static string Commands(Dice dice, Twins twins, int step)
    {
        ulong basis = twins.Engine.Read(Mmio.CommandBase, 8);
        ulong length = Math.Max(4096, 16UL << (int)(basis >> 56 & 15));
        ulong tail = twins.Engine.Read(Mmio.CommandTail, 8);
        for (int i = dice.Between(1, 6); i > 0; i--)
        {
            (ulong low, ulong high) = dice.Below(12) switch
            {
                0 => (dice.Word(), dice.Word()),
                1 => Bits.Command(dice.Below(16)),
                2 => Bits.Command(dice.Between(1, 10), dice.Bit(0, 59)),
                3 => Bits.Command(dice.Between(1, 10), 0, dice.Bit(0, 63)),
                4 or 5 => Bits.StoreWait(dice.Of(0x20_0000UL, 0x20_0008UL, 0x3000_0000UL), dice.Word()),
                6 => Bits.Command(1, dice.Field(2, 1)),
                7 => Bits.InvalidateAll(),
                8 or 9 => Bits.InvalidateDevice((uint)dice.Below(256)),
                _ => Bits.InvalidatePages((ushort)dice.Below(8), dice.Word(), dice.OneIn(2)),
            };
            twins.Store((basis & 0xF_FFFF_FFFF_F000) + tail, low);
            twins.Store((basis & 0xF_FFFF_FFFF_F000) + tail + 8, high);
            tail = (tail + 16) % length;
        }

        return Write(twins, step, Mmio.CommandTail, dice.Of(2, 4, 8), tail);
    }

    private static string Request(Dice dice, Twins twins, TranslationPort port, int step)
    {
        for (int i = dice.OneIn(4) ? 150 : 1; i > 0; i--)
        {
            var request = new TranslationRequest(
                new(dice.OneIn(10) ? (uint)dice.Below(0x1_0000) : (uint)dice.Below(256)),
                dice.Of(dice.Word(), 0x1000UL, 0xFEE0_0000UL),
                dice.Of(Access.Read, Access.Write));
            TranslationResult result = port.Translate(in request);
            Twins.AssertSame(in request, twins.Reference.Request(in request), in result, $"step {step}");
        }

        return $"step {step}: requests";
    }
}
