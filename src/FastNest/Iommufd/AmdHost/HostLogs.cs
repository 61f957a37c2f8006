using FastNest.Amd.Events;
using FastNest.Amd.Logs;
using FastNest.Amd.Pprs;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>Serves an IOMMU's logs: events to whom they concern, page requests to whom the device is attached.</summary>
internal sealed class HostLogs
{
    /// <summary>log2 of each ring's entries, as Linux has it.</summary>
    public const int LengthCode = 9;

    public const ulong RingLength = 16UL << LengthCode;

    private const int PageResponseFailure = 15;

    private readonly AmdHostIommu _iommu;
    private readonly HostLog _events;
    private readonly HostLog _pprs;
    private readonly Action<IommuEvent>? _hostEvents;
    private int _calls;

    public HostLogs(AmdHostIommu iommu, MemoryRegion memory, ulong eventRing, ulong pprRing, Action<IommuEvent>? hostEvents)
    {
        _iommu = iommu;
        _events = new(iommu.Iommu, LogRegisters.Event, memory, eventRing, RingLength);
        _pprs = new(iommu.Iommu, LogRegisters.Ppr, memory, pprRing, RingLength);
        _hostEvents = hostEvents;
    }

    /// <summary>
    /// Takes what is in the logs. Who comes while another is at it leaves that to the other and does not wait: interrupts come on
    /// any thread, also in the midst of a command.
    /// </summary>
    public void Serve()
    {
        if (Interlocked.Increment(ref _calls) != 1)
        {
            return;
        }

        int seen;
        do
        {
            seen = Volatile.Read(ref _calls);
            try
            {
                ServeOnce();
            }
            catch
            {
                Volatile.Write(ref _calls, 0);
                throw;
            }
        }
        while (Interlocked.CompareExchange(ref _calls, 0, seen) != seen);
    }

    private void ServeOnce()
    {
        _events.Acknowledge();
        _pprs.Acknowledge();
        while (_events.TryTake(out ulong word0, out ulong word1))
        {
            Take(new IommuEvent(word0, word1));
        }

        while (_pprs.TryTake(out ulong word0, out ulong word1))
        {
            Take(word0, word1);
        }

        _events.Restart();
        _pprs.Restart();
    }

    private void Take(in IommuEvent entry)
    {
        if (!GuestEvent.TryReport(in entry, _iommu.FindEntry(entry.Device)?.Guest))
        {
            _hostEvents?.Invoke(entry);
        }
    }

    private void Take(ulong word0, ulong word1)
    {
        var id = new DeviceId((uint)PprLayout.DeviceID.Get(word0));
        uint? pasid = PprLayout.GN.IsSet(word0)
            ? (uint)(PprLayout.Pasid19To16.Get(word0) << 16 | PprLayout.Pasid15To0.Get(word0))
            : null;
        int group = (int)PprLayout.Group.Get(word0);
        bool last = PprLayout.Last.IsSet(word0);
        DeviceEntry? entry = _iommu.FindEntry(id);
        if (entry is { Device: { } device, Attachment.Target.PageRequests: { } sink })
        {
            Access access = (PprLayout.Read.IsSet(word0) ? Access.Read : Access.None)
                | (PprLayout.Write.IsSet(word0) ? Access.Write : Access.None)
                | (PprLayout.Execute.IsSet(word0) ? Access.Execute : Access.None);
            sink.Take(
                device, pasid, group, PprLayout.Address.InPlace(word1), access,
                pasid is not null && !PprLayout.User.IsSet(word0), last);
        }
        else if (last)
        {
            _iommu.Commands.Execute(HostCommand.CompletePageRequest(id, pasid, group, PageResponseFailure));
        }
    }
}
