using FastNest.Amd;
using FastNest.Cli.Captures;
using FastNest.Cli.Replays;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>
/// Records a capture: what its driver did from reset, if the capture tells, then the machine as it was stopped and its requests,
/// once with cold caches and once with warm ones.
/// </summary>
internal sealed class CaptureRecording
{
    private const int Batch = 64;
    private const int Rounds = 2;

    private readonly CaptureFolder _folder;
    private readonly RegisterSnapshot _registers;
    private readonly List<TraceStep> _driver;
    private readonly TranslationRequest[] _requests;

    public CaptureRecording(CaptureFolder folder)
    {
        _folder = folder;
        _registers = folder.Registers();
        _driver = folder.HasTrace ? folder.Trace() : [];
        _requests = [.. folder.Requests().Select(recorded => recorded.Request)];
    }

    public RecordReport Run(Stream stream, string path)
    {
        using GuestPhysicalSpace memory = _folder.Memory();
        new DriverMemory(_driver).Complete(memory);
        IommuFeatures features = DriverReplay.Features(_registers, _driver);
        using var machine = new RecordedMachine(stream, memory, new() { Features = features });
        Drive(new RecordedDriver(machine));
        _registers.Restore(machine.Iommu.TryRestore);
        using (RecordedPort port = machine.OpenPort())
        {
            var answers = new TranslationResult[Batch];
            for (int round = 0; round < Rounds; round++)
            {
                for (int i = 0; i < _requests.Length; i += Batch)
                {
                    port.Translate(_requests.AsSpan(i, Math.Min(Batch, _requests.Length - i)), answers);
                }
            }
        }

        machine.HashMemory();
        machine.Dispose();
        return RecordReport.Of(path, _folder.Name, machine);
    }

    private void Drive(RecordedDriver driver)
    {
        foreach (TraceStep step in _driver)
        {
            new CommandBatch(driver, _folder.CommandsPath, step.Commands).Prepare();
            if (step.Access.IsWrite)
            {
                driver.Write(step.Access.Offset, step.Access.Size, step.Access.Value);
            }
            else
            {
                driver.Read(step.Access.Offset, step.Access.Size);
            }
        }
    }
}
