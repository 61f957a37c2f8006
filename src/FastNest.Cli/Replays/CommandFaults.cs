using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Memory;

namespace FastNest.Cli.Replays;

/// <summary>Finds out whether commands were refused: from new entries of the event log, and, as that may be off, from the run bit.</summary>
internal sealed class CommandFaults(AmdIommu iommu)
{
    private ulong _seen;

    /// <summary>Does something and counts the commands refused meanwhile.</summary>
    public int Count(Action action)
    {
        bool ran = IsRunning;
        action();
        int logged = NewEvents().Count(code => code is EventCode.IllegalCommandError or EventCode.CommandHardwareError);
        bool stopped = ran && !IsRunning && IsEnabled;
        return Math.Max(logged, stopped ? 1 : 0);
    }

    private bool IsRunning => (Read(DriverRegister.Status) & DriverRegister.CmdBufRun) != 0;

    private bool IsEnabled
    {
        get
        {
            const ulong enabled = DriverRegister.IommuEn | DriverRegister.CmdBufEn;
            return (Read(DriverRegister.Control) & enabled) == enabled;
        }
    }

    private List<EventCode> NewEvents()
    {
        List<EventCode> codes = [];
        ulong log = Read(DriverRegister.EventBase);
        ulong length = DriverRegister.RingLength(log);
        ulong tail = Read(DriverRegister.EventTail);
        if (length == 0 || tail >= length)
        {
            return codes;
        }

        for (ulong at = _seen % length; at != tail; at = (at + DriverRegister.EntrySize) % length)
        {
            if (iommu.Memory.Load64(DriverRegister.RingAddress(log) + at, out ulong word) == MemoryStatus.Ok)
            {
                codes.Add(new IommuEvent(word, 0).Code);
            }
        }

        _seen = tail;
        return codes;
    }

    private ulong Read(ulong register) => iommu.Read(register, sizeof(ulong));
}
