using FastNest.Amd.Events;
using FastNest.Amd.Registers;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd.Commands;

/// <summary>
/// Consumes the command ring: this side owns the head. Serialised by the owner of the registers; an illegal command stops
/// the ring until software enables it anew.
/// </summary>
internal sealed class CommandProcessor
{
    private readonly GuestPhysicalSpace _memory;
    private readonly RegisterFile _registers;
    private readonly EventLog _events;
    private readonly InvalidationQueue _invalidations;
    private readonly DeviceFaultLatch _faults;
    private readonly InterruptLatch _interrupts;
    private readonly CommandRules _rules;
    private readonly bool _boundsStores;
    private RingGeometry _ring;
    private bool _stopped;

    public CommandProcessor(
        GuestPhysicalSpace memory,
        RegisterFile registers,
        IommuFeatures features,
        EventLog events,
        InvalidationQueue invalidations,
        DeviceFaultLatch faults,
        InterruptLatch interrupts)
    {
        _memory = memory;
        _registers = registers;
        _events = events;
        _invalidations = invalidations;
        _faults = faults;
        _interrupts = interrupts;
        _rules = new(features);
        _boundsStores = features.Has(ExtendedFeature.SNPSup);
    }

    /// <summary>Commands executed since the start, legal ones only.</summary>
    public long Executed { get; private set; }

    /// <summary>A base register was written: the ring restarts (reading 42).</summary>
    public void Restart()
    {
        _registers[RegisterMap.CommandHead] = 0;
        _registers[RegisterMap.CommandTail] = 0;
        Update();
    }

    /// <summary>A pointer was written: only what lies within the ring counts (reading 44).</summary>
    public void ReducePointers()
    {
        _registers[RegisterMap.CommandHead] = _ring.Reduce(_registers[RegisterMap.CommandHead]);
        _registers[RegisterMap.CommandTail] = _ring.Reduce(_registers[RegisterMap.CommandTail]);
    }

    /// <summary>Control was written: CmdBufRun follows (reading 40).</summary>
    public void Update()
    {
        ulong control = _registers[RegisterMap.Control];
        bool enabled = ControlRegister.CmdBufEn.IsSet(control);
        _ring = RingRegisters.Geometry(_registers[RegisterMap.CommandBufferBase]);
        _stopped &= enabled;
        _registers.Assign(
            RegisterMap.Status,
            StatusRegister.CmdBufRun,
            enabled && ControlRegister.IommuEn.IsSet(control) && !_stopped && _ring.Length != 0);
    }

    /// <summary>Executes every command up to the tail as it is now, at most the ring's length.</summary>
    public void Run()
    {
        ulong tail = _ring.Reduce(_registers[RegisterMap.CommandTail]);
        for (ulong head = _ring.Reduce(_registers[RegisterMap.CommandHead]);
             head != tail && _registers.IsSet(RegisterMap.Status, StatusRegister.CmdBufRun);
             head = _ring.Next(head))
        {
            if (TryStep(_ring.Base + head))
            {
                Executed++;
                _registers[RegisterMap.CommandHead] = _ring.Next(head);
            }
        }
    }

    /// <summary>Fetches and executes one command; on an error the ring stops with its head at the command (reading 45).</summary>
    private bool TryStep(ulong address)
    {
        if (!TryFetch(address, out Command command))
        {
            return Stop(EventCode.CommandHardwareError, EventLayout.HardwareType.Of(FaultEvents.MasterAbort), address);
        }

        return _rules.IsLegal(in command) ? Execute(in command) : Stop(EventCode.IllegalCommandError, 0, address);
    }

    private bool TryFetch(ulong address, out Command command)
    {
        bool fetched = _memory.Load64(address, out ulong word0) == MemoryStatus.Ok;
        fetched &= _memory.Load64(address + 8, out ulong word1) == MemoryStatus.Ok;
        command = new(word0, word1);
        return fetched;
    }

    private bool Execute(in Command command)
    {
        switch (command.Opcode)
        {
            case Opcode.CompletionWait:
                return CompletionWait(in command);
            case Opcode.InvalidateDevtabEntry:
                var device = new DeviceId((uint)command.Get(CommandLayout.DeviceID));
                _faults.Forget(device);
                _invalidations.Publish(Invalidation.OfContext(device));
                break;
            case Opcode.InvalidateIommuPages:
                InvalidatePages(in command);
                break;
            case Opcode.InvalidateIommuAll:
                _faults.ForgetAll();
                _invalidations.Publish(Invalidation.All);
                break;
            default:
                // Nothing is cached of interrupt tables, no device holds an IOTLB, and a prefetch is a hint (reading 60).
                break;
        }

        return true;
    }

    private void InvalidatePages(in Command command)
    {
        var domain = (ushort)command.Get(CommandLayout.DomainID);
        var pasid = (uint)command.Get(CommandLayout.Pasid);
        ulong address = command.InPlace(CommandLayout.Address);
        int shift = InvalidationRange.Shift(address, command.Has(CommandLayout.S));
        _invalidations.Publish((command.Has(CommandLayout.GN), shift) switch
        {
            (false, 64) => Invalidation.OfDomain(domain),
            (false, _) => Invalidation.OfDomain(domain, address, shift),
            (true, 64) => Invalidation.OfPasid(domain, pasid),
            (true, _) => Invalidation.OfPasid(domain, pasid, address, shift),
        });
    }

    /// <summary>
    /// Every command before this one has been published; the store comes when no batch is left that began before, so that
    /// whoever sees it sees no translation from what was invalidated.
    /// </summary>
    private bool CompletionWait(in Command command)
    {
        _memory.Sections.WaitForReaders();
        if (command.Has(CommandLayout.Store))
        {
            ulong address = command.InPlace(CommandLayout.StoreAddress);
            if (!MayStore(address) || _memory.Store64(address, command.Get(CommandLayout.StoreData)) != MemoryStatus.Ok)
            {
                return Stop(EventCode.CommandHardwareError, EventLayout.HardwareType.Of(FaultEvents.MasterAbort), address);
            }
        }

        if (command.Has(CommandLayout.Interrupt))
        {
            _registers.Set(RegisterMap.Status, StatusRegister.ComWaitInt);
            if (_registers.IsSet(RegisterMap.Control, ControlRegister.ComWaitIntEn))
            {
                _interrupts.Raise(IommuInterrupt.CompletionWait);
            }
        }

        return true;
    }

    /// <summary>With SNPSup, registers bound where completions may be stored (digest section 1.2).</summary>
    private bool MayStore(ulong address) => !_boundsStores
        || (address >= BaseRegister.Address.InPlace(_registers[RegisterMap.ExclusionBase])
            && address <= (_registers[RegisterMap.ExclusionLimit] | 0xFFF));

    private bool Stop(EventCode code, ulong details, ulong address)
    {
        _stopped = true;
        _registers.Clear(RegisterMap.Status, StatusRegister.CmdBufRun);
        _events.Append(new IommuEvent(EventLayout.Code.Of((ulong)code) | details, address));
        return false;
    }
}
