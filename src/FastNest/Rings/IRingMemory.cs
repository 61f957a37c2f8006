namespace FastNest.Rings;

/// <summary>
/// Where a ring and what its entries name are stored: in physical memory for the machine's own rings, behind a second stage for
/// a guest's. Memory that is not there is told by the result, never by an exception.
/// </summary>
internal interface IRingMemory
{
    /// <summary>Reads an entry, each half by one atomic load.</summary>
    bool TryLoadEntry(in RingGeometry ring, ulong offset, out ulong word0, out ulong word1);

    /// <summary>
    /// Writes an entry, its first half last: the code is there, and a driver takes code 0 for an entry not written yet.
    /// </summary>
    bool TryStoreEntry(in RingGeometry ring, ulong offset, ulong word0, ulong word1);

    /// <summary>Stores eight bytes where an entry says.</summary>
    bool TryStore(ulong address, ulong value);
}
