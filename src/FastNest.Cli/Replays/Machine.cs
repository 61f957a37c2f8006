using FastNest.Amd;
using FastNest.Cli.Captures;
using FastNest.Memory;
using FastNest.Reference;

namespace FastNest.Cli.Replays;

/// <summary>The stopped machine of a capture, brought back with memory of its own.</summary>
internal sealed class Machine : IDisposable
{
    private readonly GuestPhysicalSpace _memory;

    private Machine(GuestPhysicalSpace memory, AmdIommu iommu, ReferenceIommu reference)
    {
        _memory = memory;
        Iommu = iommu;
        Reference = reference;
    }

    public AmdIommu Iommu { get; }

    public ReferenceIommu Reference { get; }

    public static Machine Restore(CaptureFolder folder, RegisterSnapshot registers)
    {
        IommuFeatures features = registers.Features;
        GuestPhysicalSpace memory = folder.Memory();
        var iommu = new AmdIommu(memory, new() { Features = features });
        var reference = new ReferenceIommu(new SpaceMemory(memory), features.ExtendedFeatures, features.ExtendedFeatures2);
        var machine = new Machine(memory, iommu, reference);
        try
        {
            registers.Restore(machine.TryRestore);
        }
        catch (CaptureException)
        {
            machine.Dispose();
            throw;
        }

        return machine;
    }

    public void Dispose() => _memory.Dispose();

    private bool TryRestore(ulong offset, ulong value)
    {
        bool done = Iommu.TryRestore(offset, value);
        if (done)
        {
            Reference.RestoreRegister(offset, value);
        }

        return done;
    }
}
