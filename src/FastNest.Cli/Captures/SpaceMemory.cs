using FastNest.Memory;
using FastNest.Reference;

namespace FastNest.Cli.Captures;

/// <summary>Lets the reference model use the memory of a capture.</summary>
internal sealed class SpaceMemory(GuestPhysicalSpace space) : IReferenceMemory
{
    public bool TryRead64(ulong address, out ulong value) => space.Load64(address, out value) == MemoryStatus.Ok;

    public bool TryWrite64(ulong address, ulong value) => space.Store64(address, value) == MemoryStatus.Ok;
}
