using FastNest.Memory;

namespace FastNest.Rings;

/// <summary>The machine's own rings, in its physical memory.</summary>
internal readonly struct PhysicalRings(GuestPhysicalSpace memory) : IRingMemory
{
    public bool TryLoadEntry(in RingGeometry ring, ulong offset, out ulong word0, out ulong word1)
    {
        bool loaded = memory.Load64(ring.Base + offset, out word0) == MemoryStatus.Ok;
        return (memory.Load64(ring.Base + offset + 8, out word1) == MemoryStatus.Ok) & loaded;
    }

    public bool TryStoreEntry(in RingGeometry ring, ulong offset, ulong word0, ulong word1) =>
        memory.Store64(ring.Base + offset + 8, word1) == MemoryStatus.Ok && memory.Store64(ring.Base + offset, word0) == MemoryStatus.Ok;

    public bool TryStore(ulong address, ulong value) => memory.Store64(address, value) == MemoryStatus.Ok;
}
