namespace FastNest.Reference;

/// <summary>System physical memory as the model sees it. Addresses are multiples of 8, values little-endian.</summary>
public interface IReferenceMemory
{
    /// <summary>Reads eight bytes; false where memory does not exist.</summary>
    /// <param name="address">A system physical address, 8-byte aligned.</param>
    /// <param name="value">What is stored there; 0 on failure.</param>
    bool TryRead64(ulong address, out ulong value);

    /// <summary>Writes eight bytes; false where memory does not exist.</summary>
    /// <param name="address">A system physical address, 8-byte aligned.</param>
    /// <param name="value">What to store.</param>
    bool TryWrite64(ulong address, ulong value);
}
