using FastNest.Memory;

namespace FastNest.Rings;

/// <summary>The machine's own rings, in its physical memory.</summary>
internal readonly struct PhysicalRings(GuestPhysicalSpace memory) : IRingMemory
{
    public bool TryLoadEntry(in RingGeometry ring, ulong offset, out ulong word0, out ulong word1)
    {
        using SharedSection section = memory.EnterShared();
        bool loaded = memory.TryLoad64(ring.Base + offset, out word0);
        return memory.TryLoad64(ring.Base + offset + sizeof(ulong), out word1) && loaded;
    }

    public bool TryStoreEntry(in RingGeometry ring, ulong offset, ulong word0, ulong word1)
    {
        using SharedSection section = memory.EnterShared();
        return memory.TryStore64(ring.Base + offset + sizeof(ulong), word1) && memory.TryStore64(ring.Base + offset, word0);
    }

    public bool TryStore(ulong address, ulong value) => memory.Store64(address, value) == MemoryStatus.Ok;
}
