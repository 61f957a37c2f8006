using FastNest.Amd.Commands;
using FastNest.Amd.Registers;
using FastNest.Cli.Captures;
using FastNest.Cli.Replays;

namespace FastNest.Cli.Vms;

/// <summary>
/// Does to a VM's IOMMU what a recorded driver did to its machine's. A VM is offered less than a machine: what its IOMMU has not is
/// counted, not hidden.
/// </summary>
internal sealed class CaptureBoot : IGuestBoot
{
    // COMPLETION_WAIT without anything to do afterwards.
    private static readonly CommandBytes Nothing = new(CommandLayout.Code.Of((ulong)Opcode.CompletionWait), 0);

    private readonly CaptureFolder _folder;
    private readonly List<TraceStep> _trace;

    public CaptureBoot(CaptureFolder folder)
    {
        _folder = folder;
        _trace = folder.Trace();
        var memory = new DriverMemory(_trace);
        Memory = memory.Runs;
        Layout = VmLayout.Beside(Memory);
        Rings = new(
            Ring(memory.Base(DriverRegister.CommandBase)),
            Ring(memory.Base(DriverRegister.EventBase)),
            Ring(memory.Base(DriverRegister.PprBase)));
        if (Rings.Commands.Length == 0 || Rings.Events.Length == 0)
        {
            throw new CaptureException("mmio.jsonl: expected a driver that sets up a command buffer and an event log");
        }
    }

    public VmLayout Layout { get; }

    public IReadOnlyList<DriverRun> Memory { get; }

    public GuestRings Rings { get; }

    public BootReport Boot(VirtualMachine vm)
    {
        CommandRules rules = vm.CommandRules;
        var report = new BootReport();
        foreach (TraceStep step in _trace)
        {
            List<RecordedCommand> commands = [.. step.Commands.Select(command => IsOffered(command) ? command : command with { Bytes = Nothing })];
            var batch = new CommandBatch(vm, _folder.CommandsPath, commands);
            batch.Prepare();
            report = Access(report, vm, step.Access);
            report = report with
            {
                Commands = report.Commands + commands.Count,
                CommandsNotOffered = report.CommandsNotOffered + step.Commands.Count(command => !IsOffered(command)),
                CompletionsMissed = report.CompletionsMissed + batch.Stores - batch.StoresDone(),
                HeadsBehind = report.HeadsBehind + (commands.Count == 0 || batch.HeadFollowed ? 0 : 1),
            };
        }

        return report;

        bool IsOffered(RecordedCommand command) => rules.IsLegal(new(command.Bytes.Low, command.Bytes.High));
    }

    private static BootReport Access(BootReport report, VirtualMachine vm, MmioAccess access)
    {
        ulong value = access.Value;
        if (access.IsWrite)
        {
            vm.Write(access.Offset, access.Size, access.Value);
        }
        else
        {
            value = vm.Read(access.Offset, access.Size);
        }

        bool isThere = RegisterMap.At((int)access.Offset) is { } register && register.IsOffered(vm.Offered);
        return report with
        {
            Accesses = report.Accesses + 1,
            Absent = report.Absent + (isThere ? 0 : 1),
            ReadsDiffer = report.ReadsDiffer + (isThere && value != access.Value ? 1 : 0),
        };
    }

    private static GuestRing Ring(ulong value) => new(DriverRegister.RingAddress(value), DriverRegister.RingLength(value));
}
