using FastNest.Reference.Registers;
using FastNest.Reference.Rings;

namespace FastNest.Reference.Viommu;

/// <summary>A guest's command buffer: its ids are replaced by the host's, and a turn is bounded (section 8.7).</summary>
internal sealed class GuestCommandRing(
    Guest guest,
    GuestService service,
    IReferenceMemory memory,
    RegisterFile registers,
    RingRegisters ring,
    EventLog log,
    List<ReferenceCommand> executed,
    List<ReferencePageResponse> responses,
    List<ReferenceInterrupt> interrupts)
    : CommandRing(memory, registers, ring, log, new FaultSuppression(), executed, responses, interrupts)
{
    private readonly List<ReferencePageResponse> _responses = responses;

    public override void Run()
    {
        for (int i = 0; i < service.Turn && HasWork && service.RunsCommands; i++)
            ExecuteOne();
    }

    // reading 96: what is not named here is consumed.
    protected override void Act(int opcode, ulong low, ulong high, ulong spa)
    {
        switch (opcode)
        {
            case CommandRules.InvalidatePages:
                if (service.HostDomain(guest, (ushort)Bits.Field(low, 47, 32)) is ushort domain)
                    service.DomainInvalidations.Add((domain, low, high));
                break;
            case CommandRules.InvalidateDevice:
                if (service.HostDevice(guest, (ushort)low) is ushort device)
                    service.DeviceInvalidations.Add((new(device), low, high));
                break;
            case CommandRules.CompletePpr:
                if (service.HostDevice(guest, (ushort)low) is ushort asker)
                    _responses.Add(Response(low & ~0xFFFFUL | asker, high));
                break;
        }
    }
}
