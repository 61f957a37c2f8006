using FastNest.Amd;
using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Memory;

namespace FastNest.Cli.Replays;

/// <summary>Does to a fresh IOMMU what the recorded driver did, and compares what it sees.</summary>
internal sealed class DriverReplay
{
    private readonly CaptureFolder _folder;
    private readonly List<TraceStep> _trace;
    private readonly IommuFeatures _features;
    private readonly List<string> _disagreements = [];

    public DriverReplay(CaptureFolder folder)
    {
        _folder = folder;
        _trace = folder.Trace();
        _features = Features(folder.Registers(), _trace);
    }

    /// <summary>What the recorded machine offered.</summary>
    public static IommuFeatures Features(RegisterSnapshot registers, IReadOnlyList<TraceStep> trace)
    {
        ulong controls = trace
            .Where(step => !step.Access.IsWrite && step.Access is { Offset: DriverRegister.Control, Size: sizeof(ulong) })
            .Aggregate(0UL, (bits, step) => bits | step.Access.Value);

        // These two have no feature bit: the machine offers them when the driver has read them back.
        return registers.Features with
        {
            IrtCacheDisable = (controls & DriverRegister.IrtCacheDis) != 0,
            GuestBufferTranslation = (controls & DriverRegister.GstBufferTrpMode) != 0,
        };
    }

    /// <param name="meter">Told of the progress.</param>
    public DriverReport Run(WorkMeter meter)
    {
        using GuestPhysicalSpace memory = _folder.Memory();
        new DriverMemory(_trace).Complete(memory);
        var iommu = new AmdIommu(memory, new() { Features = _features });
        var machine = new BareMachine(iommu);
        var faults = new CommandFaults(iommu);
        var report = new DriverReport { Capture = _folder.Name };
        for (int i = 0; i < _trace.Count; i++)
        {
            TraceStep step = _trace[i];
            var batch = new CommandBatch(machine, _folder.CommandsPath, step.Commands);
            batch.Prepare();
            report = report with { Commands = report.Commands + step.Commands.Count };
            report = step.Access.IsWrite ? Write(report, iommu, faults, step.Access) : Read(report, iommu, step.Access);
            report = Follow(report, step, batch);
            meter.Report((i + 1.0) / _trace.Count);
        }

        return report with { Executed = iommu.CommandsExecuted, Disagreements = _disagreements };
    }

    private DriverReport Read(DriverReport report, AmdIommu iommu, MmioAccess access)
    {
        ulong value = iommu.Read(access.Offset, access.Size);
        bool agrees = value == access.Value;
        Note(agrees, access.Line, $"read of 0x{access.Offset:x}, {access.Size} bytes: expected 0x{access.Value:x}, found 0x{value:x}");
        return report with { Reads = report.Reads + 1, ReadsAgreed = report.ReadsAgreed + (agrees ? 1 : 0) };
    }

    private DriverReport Write(DriverReport report, AmdIommu iommu, CommandFaults faults, MmioAccess access)
    {
        int illegal = faults.Count(() => iommu.Write(access.Offset, access.Size, access.Value));
        Note(illegal == 0, access.Line, $"write of 0x{access.Value:x} to 0x{access.Offset:x}: expected legal commands, one was refused");
        return report with { Illegal = report.Illegal + illegal };
    }

    private DriverReport Follow(DriverReport report, TraceStep step, CommandBatch batch)
    {
        if (step.Commands.Count == 0)
        {
            return report;
        }

        int done = batch.StoresDone();
        bool followed = batch.HeadFollowed;
        Note(done == batch.Stores, step.Access.Line, $"expected {batch.Stores} completion stores, found {done}");
        Note(followed, step.Access.Line, "expected the head to follow the tail, it did not");
        return report with
        {
            Batches = report.Batches + 1,
            HeadFollowed = report.HeadFollowed + (followed ? 1 : 0),
            Completions = report.Completions + batch.Stores,
            CompletionsDone = report.CompletionsDone + done,
        };
    }

    private void Note(bool agrees, int line, string problem)
    {
        if (!agrees && _disagreements.Count < Disagreement.Shown)
        {
            _disagreements.Add($"mmio.jsonl:{line}: {problem}");
        }
    }
}
