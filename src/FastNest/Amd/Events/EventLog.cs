using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Rings;

namespace FastNest.Amd.Events;

/// <summary>
/// The event log: this side owns the tail. Appending is serialised by a lock of its own, so that ports may report while
/// the owner of the registers waits for them.
/// </summary>
internal sealed class EventLog(GuestPhysicalSpace memory, RegisterFile registers, IommuFeatures features, InterruptLatch interrupts)
{
    private readonly Lock _append = new();
    private RingGeometry _ring;
    private bool _overflowed;

    /// <summary>Writes an event to the log if it runs.</summary>
    public void Append(in IommuEvent entry)
    {
        lock (_append)
        {
            RecordHardwareError(in entry);
            if (!registers.IsSet(RegisterMap.Status, StatusRegister.EventLogRun))
            {
                return;
            }

            ulong tail = _ring.Reduce(registers[RegisterMap.EventTail]);
            ulong next = _ring.Next(tail);
            if (next == _ring.Reduce(registers[RegisterMap.EventHead]))
            {
                _overflowed = true;
                registers.Set(RegisterMap.Status, StatusRegister.EventOverflow);
                registers.Clear(RegisterMap.Status, StatusRegister.EventLogRun);
                Interrupt();
                return;
            }

            // The code is in the first quadword, and a driver takes code 0 for "not yet written": it goes last.
            if (memory.Store64(_ring.Base + tail + 8, entry.Word1) == MemoryStatus.Ok
                && memory.Store64(_ring.Base + tail, entry.Word0) == MemoryStatus.Ok)
            {
                registers[RegisterMap.EventTail] = next;
                registers.Set(RegisterMap.Status, StatusRegister.EventLogInt);
                Interrupt();
            }
        }
    }

    /// <summary>A base register was written: the ring restarts (reading 42).</summary>
    public void Restart()
    {
        lock (_append)
        {
            registers[RegisterMap.EventHead] = 0;
            registers[RegisterMap.EventTail] = 0;
            Reconsider();
        }
    }

    /// <summary>A pointer was written: only what lies within the ring counts (reading 44).</summary>
    public void ReducePointers()
    {
        lock (_append)
        {
            registers[RegisterMap.EventHead] = _ring.Reduce(registers[RegisterMap.EventHead]);
            registers[RegisterMap.EventTail] = _ring.Reduce(registers[RegisterMap.EventTail]);
        }
    }

    /// <summary>Control or Status was written: EventLogRun follows (reading 41).</summary>
    public void Update()
    {
        lock (_append)
        {
            Reconsider();
        }
    }

    /// <summary>The registers of a stopped machine were put in: an overflow in them is one that has not been acknowledged.</summary>
    public void Restore()
    {
        lock (_append)
        {
            _overflowed = registers.IsSet(RegisterMap.Status, StatusRegister.EventOverflow);
            Reconsider();
        }
    }

    private void Reconsider()
    {
        ulong control = registers[RegisterMap.Control];
        bool enabled = ControlRegister.EventLogEn.IsSet(control);
        _ring = RingRegisters.Geometry(registers[RegisterMap.EventLogBase]);
        _overflowed &= enabled;
        registers.Assign(
            RegisterMap.Status,
            StatusRegister.EventLogRun,
            enabled
                && ControlRegister.IommuEn.IsSet(control)
                && !_overflowed
                && !registers.IsSet(RegisterMap.Status, StatusRegister.EventOverflow)
                && _ring.Length != 0);
    }

    /// <summary>Hardware errors are also kept in registers, the first of them until it is acknowledged (reading 51).</summary>
    private void RecordHardwareError(in IommuEvent entry)
    {
        if (!features.Has(ExtendedFeature.HESup)
            || entry.Code is not (EventCode.DevTabHardwareError or EventCode.PageTabHardwareError or EventCode.CommandHardwareError))
        {
            return;
        }

        if (registers.IsSet(RegisterMap.HwEventStatus, BaseRegister.HEV))
        {
            registers.Set(RegisterMap.HwEventStatus, BaseRegister.HEO);
            return;
        }

        registers[RegisterMap.HwEventUpper] = entry.Word0;
        registers[RegisterMap.HwEventLower] = entry.Word1;
        registers.Set(RegisterMap.HwEventStatus, BaseRegister.HEV);
    }

    private void Interrupt()
    {
        if (registers.IsSet(RegisterMap.Control, ControlRegister.EventIntEn))
        {
            interrupts.Raise(IommuInterrupt.EventLog);
        }
    }
}
