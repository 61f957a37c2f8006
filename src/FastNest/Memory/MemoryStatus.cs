namespace FastNest.Memory;

/// <summary>How an access to a physical address ended.</summary>
public enum MemoryStatus : byte
{
    /// <summary>It was done.</summary>
    Ok,

    /// <summary>Nothing is mapped at the address.</summary>
    Hole,

    /// <summary>An MMIO window is mapped there, which this kind of access does not reach.</summary>
    Mmio,

    /// <summary>The address is not aligned to the width of the access.</summary>
    Misaligned,

    /// <summary>The address lies beyond 52 bits; of a transfer, that it would have gone on beyond the last device address.</summary>
    BeyondAddressWidth,
}
