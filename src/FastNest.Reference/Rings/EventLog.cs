using FastNest.Reference.Registers;

namespace FastNest.Reference.Rings;

/// <summary>The event log (section 7.1) and the hardware event registers.</summary>
internal sealed class EventLog(IReferenceMemory memory, RegisterFile registers, RingRegisters ring, List<ReferenceInterrupt> interrupts)
{
    private const ulong Overflow = 1UL << 0;
    private const ulong LogInterrupt = 1UL << 1;
    private bool _overflowed;

    // reading 41
    public bool Running => registers.Control.IommuEn
        && registers.Control.EventLogEn
        && !_overflowed
        && (registers.StatusBits & Overflow) == 0
        && ring.LengthIsLegal;

    public void ControlWritten()
    {
        if (!registers.Control.EventLogEn)
            _overflowed = false;
    }

    /// <summary>A restored EventOverflow bit means that the log stopped.</summary>
    public void StatusRestored() => _overflowed = (registers.StatusBits & Overflow) != 0;

    public void Report(ReferenceEvent entry)
    {
        SetHardwareEventRegisters(entry);
        if (!Running)
            return; // reading 48
        if (ring.After(ring.Tail) == ring.Head)
        {
            // One slot stays empty; this event is lost. // reading 49
            registers.StatusBits |= Overflow;
            _overflowed = true;
            Interrupt();
            return;
        }

        // The body first, so that software never sees a tail past an unwritten entry.
        ulong address = ring.Base + ring.Tail;
        if (!memory.TryWrite64(address, entry.Low) || !memory.TryWrite64(address + 8, entry.High))
            return; // reading 50
        ring.Tail = ring.After(ring.Tail);
        registers.StatusBits |= LogInterrupt;
        Interrupt();
    }

    // reading 51
    private void SetHardwareEventRegisters(ReferenceEvent entry)
    {
        bool isHardwareError = entry.Code
            is ReferenceEventCode.DeviceTableHardwareError
            or ReferenceEventCode.PageTableHardwareError
            or ReferenceEventCode.CommandHardwareError;
        if (!isHardwareError || !registers.Features.HESup)
            return;
        ulong status = registers.Get(RegisterMap.HwEventStatus);
        if (Bits.IsSet(status, 0))
        {
            registers.Set(RegisterMap.HwEventStatus, status | Bits.Bit(1));
            return;
        }

        registers.Set(RegisterMap.HwEventUpper, entry.Low);
        registers.Set(RegisterMap.HwEventLower, entry.High);
        registers.Set(RegisterMap.HwEventStatus, status | Bits.Bit(0));
    }

    private void Interrupt()
    {
        if (registers.Control.EventIntEn)
            interrupts.Add(ReferenceInterrupt.EventLog);
    }
}
