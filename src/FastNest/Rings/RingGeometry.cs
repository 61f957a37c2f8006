namespace FastNest.Rings;

/// <summary>Where a ring of 16-byte entries lies in guest memory; heads and tails are byte offsets from its base.</summary>
/// <param name="Base">The physical address of entry 0, a multiple of 4096.</param>
/// <param name="Length">Bytes, a power of two; 0 for a ring that cannot run.</param>
internal readonly record struct RingGeometry(ulong Base, ulong Length)
{
    public const ulong EntrySize = 16;

    /// <summary>The offset of the entry after this one.</summary>
    public ulong Next(ulong offset) => (offset + EntrySize) & (Length - 1);

    /// <summary>What of a pointer counts: it wraps at the ring's end.</summary>
    public ulong Reduce(ulong offset) => Length == 0 ? offset : offset & (Length - 1);
}
