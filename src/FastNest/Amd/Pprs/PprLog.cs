using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Rings;

namespace FastNest.Amd.Pprs;

/// <summary>The PPR log: this side owns the tail. Appending is serialised by a lock of its own.</summary>
internal sealed class PprLog(GuestPhysicalSpace memory, RegisterFile registers, InterruptLatch interrupts, DeviceMail mail)
{
    private const ulong ResponseCodeMask = 15;

    private readonly Lock _append = new();
    private RingGeometry _ring;
    private bool _overflowed;

    /// <summary>Logs a page request, or answers it where automatic answers are on (readings 82, 83).</summary>
    public void Append(in PageRequest request)
    {
        lock (_append)
        {
            ulong control = registers[RegisterMap.Control];
            bool runs = registers.IsSet(RegisterMap.Status, StatusRegister.PprLogRun);
            if (ControlRegister.PprAutoRspEn.IsSet(control) && (!runs || ControlRegister.PprAutoRspAon.IsSet(control)))
            {
                Answer(in request);
            }
            else if (runs)
            {
                Log(in request);
            }
        }
    }

    /// <summary>A base register was written: the ring restarts (reading 42).</summary>
    public void Restart()
    {
        lock (_append)
        {
            registers[RegisterMap.PprHead] = 0;
            registers[RegisterMap.PprTail] = 0;
            Reconsider();
        }
    }

    /// <summary>A pointer was written: only what lies within the ring counts (reading 44).</summary>
    public void ReducePointers()
    {
        lock (_append)
        {
            registers[RegisterMap.PprHead] = _ring.Reduce(registers[RegisterMap.PprHead]);
            registers[RegisterMap.PprTail] = _ring.Reduce(registers[RegisterMap.PprTail]);
        }
    }

    /// <summary>Control or Status was written: PprLogRun follows (reading 82).</summary>
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
            _overflowed = registers.IsSet(RegisterMap.Status, StatusRegister.PprOverflow);
            Reconsider();
        }
    }

    private void Log(in PageRequest request)
    {
        ulong tail = _ring.Reduce(registers[RegisterMap.PprTail]);
        ulong next = _ring.Next(tail);
        if (next == _ring.Reduce(registers[RegisterMap.PprHead]))
        {
            _overflowed = true;
            registers.Set(RegisterMap.Status, StatusRegister.PprOverflow);
            registers.Clear(RegisterMap.Status, StatusRegister.PprLogRun);
            Interrupt();
            return;
        }

        // The code is in the first quadword, and a driver takes code 0 for "not yet written": it goes last.
        if (memory.Store64(_ring.Base + tail + 8, PprLayout.Address.InPlace(request.Address)) == MemoryStatus.Ok
            && memory.Store64(_ring.Base + tail, PprLayout.Word0(in request, PprLayout.PageServiceRequest)) == MemoryStatus.Ok)
        {
            registers[RegisterMap.PprTail] = next;
            registers.Set(RegisterMap.Status, StatusRegister.PprInt);
            Interrupt();
        }
    }

    private void Answer(in PageRequest request)
    {
        if (request.Last)
        {
            ulong code = registers[RegisterMap.PprAutoResponse] & ResponseCodeMask;
            mail.Post(new PageResponse(request.Device, request.Pasid, request.Group, (int)code));
        }
    }

    private void Reconsider()
    {
        ulong control = registers[RegisterMap.Control];
        bool enabled = ControlRegister.PprLogEn.IsSet(control);
        _ring = RingRegisters.Geometry(registers[RegisterMap.PprLogBase]);
        _overflowed &= enabled;
        registers.Assign(
            RegisterMap.Status,
            StatusRegister.PprLogRun,
            enabled
                && ControlRegister.IommuEn.IsSet(control)
                && !_overflowed
                && !registers.IsSet(RegisterMap.Status, StatusRegister.PprOverflow)
                && _ring.Length != 0);
    }

    private void Interrupt()
    {
        if (registers.IsSet(RegisterMap.Control, ControlRegister.PprIntEn))
        {
            interrupts.Raise(IommuInterrupt.PprLog);
        }
    }
}
