using FastNest.Reference.Registers;
using FastNest.Reference.Viommu;

namespace FastNest.Reference.Rings;

/// <summary>Fetches and executes commands, one after the other (section 6).</summary>
internal class CommandRing(
    IReferenceMemory memory,
    RegisterFile registers,
    RingRegisters ring,
    EventLog log,
    FaultSuppression suppression,
    List<ReferenceCommand> executed,
    List<ReferencePageResponse> responses,
    List<ReferenceInterrupt> interrupts)
{
    private const ulong CompletionWaitInterrupt = 1UL << 2;
    private bool _stopped;

    // reading 40
    public bool Running => registers.Control.IommuEn && registers.Control.CmdBufEn && !_stopped && ring.LengthIsLegal;

    public void ControlWritten()
    {
        if (!registers.Control.CmdBufEn)
            _stopped = false;
    }

    /// <summary>What serves guests, where the IOMMU does.</summary>
    public GuestService? Guests { get; init; }

    public bool HasWork => Running && ring.Head != ring.Tail;

    public virtual void Run()
    {
        while (HasWork)
            ExecuteOne();
    }

    protected void ExecuteOne()
    {
        ulong spa = ring.Base + ring.Head;
        if (!memory.TryRead64(spa, out ulong low) || !memory.TryRead64(spa + 8, out ulong high))
        {
            Stop(Events.CommandHardwareError(spa));
            return;
        }

        if (!CommandRules.IsLegal(low, high, registers.Features))
        {
            Stop(Events.IllegalCommand(spa));
            return;
        }

        int opcode = CommandRules.Opcode(low);
        if (opcode == CommandRules.CompletionWait && !CompletionWait(low, high))
        {
            Stop(Events.CommandHardwareError(low & Bits.Mask(51, 3))); // reading 47
            return;
        }

        Act(opcode, low, high, spa);
        executed.Add(new(opcode, low, high, spa));
        ring.Head = ring.After(ring.Head);
    }

    protected virtual void Act(int opcode, ulong low, ulong high, ulong spa)
    {
        switch (opcode)
        {
            case CommandRules.InvalidateDeviceTableEntry:
                suppression.Forget((ushort)low);
                break;
            case CommandRules.InvalidateAll:
                suppression.ForgetAll();
                break;
            case CommandRules.CompletePpr:
                responses.Add(Response(low, high));
                break;
            case CommandRules.InsertGuestEvent:
                Guests?.InsertEvent((ushort)Bits.Field(low, 47, 32));
                break;
            case CommandRules.ResetVmmio:
                Guests?.Reset((ushort)low, everything: Bits.Field(low, 28, 27) != 0, commands: Bits.IsSet(low, 31));
                break;
        }
    }

    // reading 84
    protected static ReferencePageResponse Response(ulong low, ulong high) => new(
        new((uint)Bits.Field(low, 15, 0)),
        Bits.IsSet(high, 2) ? (uint)Bits.Field(low, 51, 32) : null,
        Group: (int)Bits.Field(high, 40, 32),
        Code: (int)Bits.Field(high, 47, 44));

    // Everything before it is done already, since commands execute one at a time.
    private bool CompletionWait(ulong low, ulong high)
    {
        if (Bits.IsSet(low, 0) && !TryStore(low & Bits.Mask(51, 3), high))
            return false;
        if (Bits.IsSet(low, 1))
        {
            registers.StatusBits |= CompletionWaitInterrupt; // reading 56
            if (registers.Control.ComWaitIntEn)
                interrupts.Add(ReferenceInterrupt.CompletionWait);
        }

        return true;
    }

    // With SNP the exclusion registers bound where a store may go. // reading 12
    private bool TryStore(ulong address, ulong data)
    {
        ulong first = registers.Get(RegisterMap.ExclusionBase) & Bits.Mask(51, 12);
        ulong last = registers.Get(RegisterMap.ExclusionLimit) | 0xFFF;
        if (registers.Features.SnpSup && (address < first || address > last))
            return false;
        return memory.TryWrite64(address, data);
    }

    // The head stays at the failing command. // reading 45
    private void Stop(ReferenceEvent error)
    {
        _stopped = true;
        log.Report(error);
    }
}
