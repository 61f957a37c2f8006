using FastNest.Amd.Commands;
using FastNest.Amd.Events;
using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Executes a guest's commands with its ids mapped to the host's, so that they reach nothing but what the host gave to the guest
/// (digest section 8.7). Serialised by the owner of the host's registers.
/// </summary>
internal sealed class GuestCommands(VirtualIommu guest, CommandRing<GuestRings> ring, EventLog events, ViommuParts parts)
{
    // The guest's domain that was mapped last in this turn, in which the host maps nothing anew (reading 112); negative for none.
    private int _named;
    private ushort _domain;

    /// <summary>Executes commands up to the tail, but no more than one turn allows.</summary>
    /// <returns>How many were executed.</returns>
    public int Run(int limit)
    {
        int executed = 0;
        _named = -1;
        while (executed < limit && ring.TryFetch(out Command command, out ulong address))
        {
            if (Execute(in command, address))
            {
                executed++;
                ring.Advance();
            }
        }

        return executed;
    }

    private bool Execute(in Command command, ulong address)
    {
        switch (command.Opcode)
        {
            case Opcode.CompletionWait:
                return ring.TryCompleteWait(in command);
            case Opcode.InvalidateIommuPages:
                if (TryFindDomain((ushort)command.Get(CommandLayout.DomainID)))
                {
                    parts.Effects.InvalidatePages(in command, _domain);
                }

                break;
            case Opcode.InvalidateIotlbPages:
                InvalidateDevice(in command, address);
                break;
            case Opcode.CompletePprRequest:
                if (parts.Ids.TryFindDevice(guest, Device(in command), out DeviceId asked))
                {
                    parts.Effects.CompletePageRequest(in command, asked);
                }

                break;
            default:
                // The host's device table counts, not the guest's; nothing else is cached (reading 96).
                break;
        }

        return true;
    }

    private bool TryFindDomain(ushort named)
    {
        if (named == _named)
        {
            return true;
        }

        _named = parts.Ids.TryFindDomain(guest, named, out _domain) ? named : -1;
        return _named >= 0;
    }

    /// <summary>Reading 60 in the guest's own terms.</summary>
    private void InvalidateDevice(in Command command, ulong address)
    {
        ushort named = Device(in command);
        if (parts.Ids.TryFindDevice(guest, named, out DeviceId device) && !parts.Effects.TryInvalidateDevice(in command, device))
        {
            events.Append(new IommuEvent(
                EventLayout.Code.Of((ulong)EventCode.IotlbInvTimeout) | EventLayout.DeviceID.Of(named), address));
        }
    }

    private static ushort Device(in Command command) => (ushort)command.Get(CommandLayout.DeviceID);
}
