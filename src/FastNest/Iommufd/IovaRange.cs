namespace FastNest.Iommufd;

/// <summary>The I/O virtual addresses from first to last, both included.</summary>
/// <param name="First">The first address.</param>
/// <param name="Last">The last address, not below the first.</param>
public readonly record struct IovaRange(ulong First, ulong Last)
{
    internal static IovaRange All => new(0, ulong.MaxValue);

    internal bool Overlaps(IovaRange other) => First <= other.Last && other.First <= Last;
}
