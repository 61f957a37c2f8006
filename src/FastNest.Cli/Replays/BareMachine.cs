using FastNest.Amd;
using FastNest.Memory;

namespace FastNest.Cli.Replays;

/// <summary>A machine that a driver has to itself.</summary>
/// <param name="iommu">Its IOMMU.</param>
internal sealed class BareMachine(AmdIommu iommu) : IDriverMachine
{
    public ulong Read(ulong offset, int size) => iommu.Read(offset, size);

    public void Write(ulong offset, int size, ulong value) => iommu.Write(offset, size, value);

    public bool TryLoad(ulong address, out ulong value) => iommu.Memory.Load64(address, out value) == MemoryStatus.Ok;

    public bool TryStore(ulong address, ulong value) => iommu.Memory.Store64(address, value) == MemoryStatus.Ok;
}
