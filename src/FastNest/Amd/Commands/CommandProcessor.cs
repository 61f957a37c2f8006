using FastNest.Amd.Events;
using FastNest.Amd.Viommu;
using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd.Commands;

/// <summary>Executes the host's commands, one after the other. Serialised by the owner of the registers.</summary>
internal sealed class CommandProcessor(
    CommandRing<PhysicalRings> ring, CommandEffects effects, EventLog events, DeviceFaultLatch faults, ViommuHardware? viommu)
{
    /// <summary>Commands executed since the start, legal ones only.</summary>
    public long Executed { get; private set; }

    /// <summary>The ring that the commands are in.</summary>
    public CommandRing<PhysicalRings> Ring => ring;

    /// <summary>Executes every command up to the tail, at most the ring's length.</summary>
    public void Run()
    {
        while (ring.TryFetch(out Command command, out ulong address))
        {
            if (Execute(in command, address))
            {
                Executed++;
                ring.Advance();
            }
        }
    }

    private bool Execute(in Command command, ulong address)
    {
        switch (command.Opcode)
        {
            case Opcode.CompletionWait:
                return ring.TryCompleteWait(in command);
            case Opcode.InvalidateDevtabEntry:
                DeviceId device = Device(in command);
                faults.Forget(device);
                effects.InvalidateContext(device);
                break;
            case Opcode.InvalidateIommuPages:
                effects.InvalidatePages(in command, (ushort)command.Get(CommandLayout.DomainID));
                break;
            case Opcode.InvalidateIommuAll:
                faults.ForgetAll();
                effects.InvalidateAll();
                break;
            case Opcode.InvalidateIotlbPages:
                InvalidateDevice(in command, address);
                break;
            case Opcode.CompletePprRequest:
                effects.CompletePageRequest(in command, Device(in command));
                break;
            case Opcode.InsertGuestEvent:
                viommu!.InsertEvent(in command);
                break;
            case Opcode.ResetVmmio:
                viommu!.Reset(in command);
                break;
            default:
                // Nothing is cached of interrupt tables, and a prefetch is a hint.
                break;
        }

        return true;
    }

    /// <summary>Reading 60: a device that does not answer is reported, and the ring goes on.</summary>
    private void InvalidateDevice(in Command command, ulong address)
    {
        DeviceId device = Device(in command);
        if (!effects.TryInvalidateDevice(in command, device))
        {
            events.Append(new IommuEvent(
                EventLayout.Code.Of((ulong)EventCode.IotlbInvTimeout) | EventLayout.DeviceID.Of(device.Value), address));
        }
    }

    private static DeviceId Device(in Command command) => new((uint)command.Get(CommandLayout.DeviceID));
}
