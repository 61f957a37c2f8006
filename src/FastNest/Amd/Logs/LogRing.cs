using FastNest.Amd.Registers;
using FastNest.Rings;

namespace FastNest.Amd.Logs;

/// <summary>
/// A log that hardware writes and software reads: this side owns the tail. Appending is serialised by a lock of its own, so
/// that ports may report while the owner of the registers waits for them.
/// </summary>
internal sealed class LogRing(LogRegisters log, IRingMemory memory, RegisterFile registers, IInterruptLine interrupts)
{
    private readonly Lock _append = new();
    private RingGeometry _ring;
    private bool _overflowed;

    /// <summary>Whether an entry would be logged, or found to be one too many.</summary>
    public bool Runs => registers.IsSet(RegisterMap.Status, log.Run);

    /// <summary>Writes an entry; lost while the log does not run (readings 48 to 50, 81 to 83).</summary>
    public void Append(ulong word0, ulong word1)
    {
        lock (_append)
        {
            if (!Runs)
            {
                return;
            }

            ulong tail = _ring.Reduce(registers[log.Tail]);
            ulong next = _ring.Next(tail);
            if (next == _ring.Reduce(registers[log.Head]))
            {
                _overflowed = true;
                registers.Set(RegisterMap.Status, log.Overflow);
                registers.Clear(RegisterMap.Status, log.Run);
                Interrupt();
                return;
            }

            if (memory.TryStoreEntry(in _ring, tail, word0, word1))
            {
                registers[log.Tail] = next;
                registers.Set(RegisterMap.Status, log.Arrival);
                Interrupt();
            }
        }
    }

    /// <summary>The base register was written: the ring restarts (reading 42).</summary>
    public void Restart()
    {
        lock (_append)
        {
            registers[log.Head] = 0;
            registers[log.Tail] = 0;
            Reconsider();
        }
    }

    /// <summary>A pointer was written: only what lies within the ring counts (reading 44).</summary>
    public void ReducePointers()
    {
        lock (_append)
        {
            registers[log.Head] = _ring.Reduce(registers[log.Head]);
            registers[log.Tail] = _ring.Reduce(registers[log.Tail]);
        }
    }

    /// <summary>Control or Status was written: whether the log runs follows (readings 41, 82).</summary>
    public void Update()
    {
        lock (_append)
        {
            Reconsider();
        }
    }

    /// <summary>The registers of a stopped machine were put in: an overflow in them is one not yet dealt with (reading 64).</summary>
    public void Restore()
    {
        lock (_append)
        {
            _overflowed = registers.IsSet(RegisterMap.Status, log.Overflow);
            Reconsider();
        }
    }

    private void Reconsider()
    {
        ulong control = registers[RegisterMap.Control];
        bool enabled = log.Enable.IsSet(control);
        _ring = RingRegisters.Geometry(registers[log.Base]);
        _overflowed &= enabled;
        registers.Assign(
            RegisterMap.Status,
            log.Run,
            enabled
                && ControlRegister.IommuEn.IsSet(control)
                && !_overflowed
                && !registers.IsSet(RegisterMap.Status, log.Overflow)
                && _ring.Length != 0);
    }

    private void Interrupt()
    {
        if (registers.IsSet(RegisterMap.Control, log.InterruptEnable))
        {
            interrupts.Raise(log.Interrupt);
        }
    }
}
