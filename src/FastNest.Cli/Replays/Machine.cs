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
        foreach (RegisterValue register in registers.Values)
        {
            if (iommu.TryRestore(register.Offset, register.Value))
            {
                reference.RestoreRegister(register.Offset, register.Value);
            }
            else if (register.Value != 0)
            {
                memory.Dispose();
                throw new CaptureException(
                    registers.Path,
                    register.Line,
                    $"register 0x{register.Offset:x}: expected the offset of a register, or value 0x0; found 0x{register.Value:x}");
            }
        }

        return new(memory, iommu, reference);
    }

    public void Dispose() => _memory.Dispose();
}
