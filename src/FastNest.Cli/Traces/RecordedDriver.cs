using FastNest.Cli.Replays;
using FastNest.Memory;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>A machine that a driver has to itself, and that is recorded.</summary>
internal sealed class RecordedDriver(RecordedMachine machine) : IDriverMachine
{
    public ulong Read(ulong offset, int size) => machine.Iommu.Read(offset, size);

    public void Write(ulong offset, int size, ulong value) => machine.Iommu.Write(offset, size, value);

    public bool TryLoad(ulong address, out ulong value) => machine.Memory.Inner.Load64(address, out value) == MemoryStatus.Ok;

    public bool TryStore(ulong address, ulong value) => machine.Memory.Store64(address, value) == MemoryStatus.Ok;
}
