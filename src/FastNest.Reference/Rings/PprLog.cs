using FastNest.Reference.Registers;

namespace FastNest.Reference.Rings;

/// <summary>The PPR log (section 7.2).</summary>
internal sealed class PprLog(IReferenceMemory memory, RegisterFile registers, RingRegisters ring, List<ReferenceInterrupt> interrupts)
{
    private const ulong Overflow = 1UL << 5;
    private const ulong LogInterrupt = 1UL << 6;
    private bool _overflowed;

    // reading 82
    public bool Running => registers.Control.IommuEn
        && registers.Control.PprLogEn
        && !_overflowed
        && (registers.StatusBits & Overflow) == 0
        && ring.LengthIsLegal;

    public void ControlWritten()
    {
        if (!registers.Control.PprLogEn)
            _overflowed = false;
    }

    /// <summary>A restored PprOverflow bit means that the log stopped.</summary>
    public void StatusRestored() => _overflowed = (registers.StatusBits & Overflow) != 0;

    /// <summary>Whether the running log took the entry.</summary>
    public bool TryAdd(ulong low, ulong high)
    {
        if (ring.After(ring.Tail) == ring.Head)
        {
            // One slot stays empty; this request is lost. // reading 82
            registers.StatusBits |= Overflow;
            _overflowed = true;
            Interrupt();
            return false;
        }

        // As for events: the body first, and an entry without memory is lost. // reading 50
        ulong address = ring.Base + ring.Tail;
        if (!memory.TryWrite64(address, low) || !memory.TryWrite64(address + 8, high))
            return false;
        ring.Tail = ring.After(ring.Tail);
        registers.StatusBits |= LogInterrupt; // reading 81
        Interrupt();
        return true;
    }

    private void Interrupt()
    {
        if (registers.Control.PprIntEn)
            interrupts.Add(ReferenceInterrupt.Ppr);
    }
}
