using FastNest.Reference.Rings;

namespace FastNest.Reference.Registers;

/// <summary>What MMIO accesses do: widths, derived values, and the rules that tie registers to the rings.</summary>
internal sealed class RegisterFront(
    RegisterFile registers, RingRegisters commandRing, RingRegisters eventRing, RingRegisters pprRing, CommandRing commands, EventLog log, PprLog pprLog)
{
    private readonly RingRegisters _pprRingB = new(registers, RegisterMap.PprLogBBase, RegisterMap.PprLogBHead, RegisterMap.PprLogBTail);
    private readonly RingRegisters _eventRingB = new(registers, RegisterMap.EventLogBBase, RegisterMap.EventLogBHead, RegisterMap.EventLogBTail);

    public ulong Read(ulong offset, int size)
    {
        if (!IsAccess(offset, size))
            return 0; // reading 53
        int shift = (int)(offset % 8) * 8;
        return ReadWhole(offset & ~7UL) >> shift & Bytes(size);
    }

    public void Write(ulong offset, int size, ulong value)
    {
        if (!IsAccess(offset, size))
            return; // reading 53
        int shift = (int)(offset % 8) * 8;
        WriteWhole(offset & ~7UL, (value & Bytes(size)) << shift, Bytes(size) << shift);
    }

    public static bool IsAccess(ulong offset, int size) => size is 1 or 2 or 4 or 8 && offset % (ulong)size == 0;

    public static ulong Bytes(int size) => ulong.MaxValue >> (64 - 8 * size);

    private ulong ReadWhole(ulong offset)
    {
        if (offset == RegisterMap.Status)
            return registers.StatusBits | RunBits();
        foreach (RingRegisters ring in Rings())
        {
            if (offset == ring.HeadOffset)
                return ring.Head;
            if (offset == ring.TailOffset)
                return ring.Tail;
        }

        return registers.Get(offset);
    }

    private void WriteWhole(ulong offset, ulong bits, ulong written)
    {
        if (IsLocked(offset))
            return;
        registers.Merge(offset, bits, written);
        foreach (RingRegisters ring in Rings())
        {
            if (offset == ring.BaseOffset)
                ring.Head = ring.Tail = 0; // reading 42
        }

        if (offset == RegisterMap.ControlOffset)
        {
            commands.ControlWritten();
            log.ControlWritten();
            pprLog.ControlWritten();
        }

        if (offset is RegisterMap.ControlOffset or RegisterMap.CmdBufTail)
            commands.Run();
    }

    // readings 42, 43
    private bool IsLocked(ulong offset) => offset switch
    {
        RegisterMap.CommandBufferBase or RegisterMap.CmdBufHead => commands.Running,
        RegisterMap.EventLogBase or RegisterMap.EventLogTail => log.Running,
        RegisterMap.PprLogBase or RegisterMap.PprLogTail => pprLog.Running,
        _ => false,
    };

    private ulong RunBits() =>
        Bits.Put(log.Running, 3) | Bits.Put(commands.Running, 4) | Bits.Put(pprLog.Running, 7) | Bits.Put(GALogRunning, 8);

    private bool GALogRunning => registers.Control.IommuEn
        && registers.Control.GALogEn
        && !Bits.IsSet(registers.StatusBits, 9)
        && Bits.Field(registers.Get(RegisterMap.GALogBase), 59, 56) >= 8;

    private RingRegisters[] Rings() => [commandRing, eventRing, pprRing, _pprRingB, _eventRingB];
}
