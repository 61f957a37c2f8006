using FastNest.Amd.Events;
using FastNest.Amd.Registers;
using FastNest.Memory;
using FastNest.Rings;

namespace FastNest.Amd.Commands;

/// <summary>
/// A command ring of the IOMMU or of one of its guests, as its registers describe it: fetches, judges and completes commands.
/// This side owns the head. Serialised by the owner of the registers; an error stops the ring until software enables it anew.
/// </summary>
internal sealed class CommandRing<TMemory>(
    TMemory memory,
    ReadSections readers,
    RegisterFile registers,
    CommandRules rules,
    EventLog events,
    IInterruptLine interrupts,
    bool boundsStores)
    where TMemory : struct, IRingMemory
{
    private RingGeometry _ring;
    private bool _stopped;

    /// <summary>Whether there is a command to fetch now.</summary>
    public bool HasWork => registers.IsSet(RegisterMap.Status, StatusRegister.CmdBufRun)
        && _ring.Reduce(registers[RegisterMap.CommandHead]) != _ring.Reduce(registers[RegisterMap.CommandTail]);

    /// <summary>A base register was written: the ring restarts (reading 42).</summary>
    public void Restart()
    {
        registers[RegisterMap.CommandHead] = 0;
        registers[RegisterMap.CommandTail] = 0;
        Update();
    }

    /// <summary>A pointer was written: only what lies within the ring counts (reading 44).</summary>
    public void ReducePointers()
    {
        registers[RegisterMap.CommandHead] = _ring.Reduce(registers[RegisterMap.CommandHead]);
        registers[RegisterMap.CommandTail] = _ring.Reduce(registers[RegisterMap.CommandTail]);
    }

    /// <summary>Control was written: CmdBufRun follows (reading 40).</summary>
    public void Update()
    {
        ulong control = registers[RegisterMap.Control];
        bool enabled = ControlRegister.CmdBufEn.IsSet(control);
        _ring = RingRegisters.Geometry(registers[RegisterMap.CommandBufferBase]);
        _stopped &= enabled;
        registers.Assign(
            RegisterMap.Status,
            StatusRegister.CmdBufRun,
            enabled && ControlRegister.IommuEn.IsSet(control) && !_stopped && _ring.Length != 0);
    }

    /// <summary>Fetches the command at the head, if the ring runs and has one; one that may not be executed stops the ring.</summary>
    /// <param name="command">The command, which is legal.</param>
    /// <param name="address">Where it stands.</param>
    public bool TryFetch(out Command command, out ulong address)
    {
        command = default;
        address = 0;
        ulong head = _ring.Reduce(registers[RegisterMap.CommandHead]);
        if (!registers.IsSet(RegisterMap.Status, StatusRegister.CmdBufRun) || head == _ring.Reduce(registers[RegisterMap.CommandTail]))
        {
            return false;
        }

        address = _ring.Base + head;
        if (!memory.TryLoadEntry(in _ring, head, out ulong word0, out ulong word1))
        {
            Stop(EventCode.CommandHardwareError, EventLayout.HardwareType.Of(FaultEvents.MasterAbort), address);
            return false;
        }

        command = new(word0, word1);
        if (!rules.IsLegal(in command))
        {
            Stop(EventCode.IllegalCommandError, 0, address);
            return false;
        }

        return true;
    }

    /// <summary>The command at the head is done.</summary>
    public void Advance() => registers[RegisterMap.CommandHead] = _ring.Next(_ring.Reduce(registers[RegisterMap.CommandHead]));

    /// <summary>
    /// Every command before this one has been published; the store comes when no batch is left that began before, so that
    /// whoever sees it sees no translation from what was invalidated.
    /// </summary>
    /// <returns>False when the store failed, which stops the ring with its head at the command (readings 45, 47).</returns>
    public bool TryCompleteWait(in Command command)
    {
        readers.WaitForReaders();
        if (command.Has(CommandLayout.Store))
        {
            ulong address = command.InPlace(CommandLayout.StoreAddress);
            if (!MayStore(address) || !memory.TryStore(address, command.Get(CommandLayout.StoreData)))
            {
                Stop(EventCode.CommandHardwareError, EventLayout.HardwareType.Of(FaultEvents.MasterAbort), address);
                return false;
            }
        }

        if (command.Has(CommandLayout.Interrupt))
        {
            registers.Set(RegisterMap.Status, StatusRegister.ComWaitInt);
            if (registers.IsSet(RegisterMap.Control, ControlRegister.ComWaitIntEn))
            {
                interrupts.Raise(IommuInterrupt.CompletionWait);
            }
        }

        return true;
    }

    /// <summary>With SNPSup, registers bound where completions may be stored (digest section 1.2).</summary>
    private bool MayStore(ulong address) => !boundsStores
        || (address >= BaseRegister.Address.InPlace(registers[RegisterMap.ExclusionBase])
            && address <= (registers[RegisterMap.ExclusionLimit] | 0xFFF));

    private void Stop(EventCode code, ulong details, ulong address)
    {
        _stopped = true;
        registers.Clear(RegisterMap.Status, StatusRegister.CmdBufRun);
        events.Append(new IommuEvent(EventLayout.Code.Of((ulong)code) | details, address));
    }
}
