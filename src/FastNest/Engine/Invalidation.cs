using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>What an invalidation takes away.</summary>
internal enum InvalidationKind : byte
{
    /// <summary>Everything cached.</summary>
    All,

    /// <summary>The context of one device.</summary>
    Context,

    /// <summary>Everything cached from one domain's tables.</summary>
    Domain,

    /// <summary>What is cached of an address range of one domain.</summary>
    Pages,
}

/// <summary>One invalidation, as a front end publishes it.</summary>
/// <param name="Kind">What is taken away.</param>
/// <param name="Domain">For a domain or pages.</param>
/// <param name="Device">For a context.</param>
/// <param name="Address">For pages: the range's start, aligned to its size.</param>
/// <param name="Shift">For pages: log2 of the range's size, 12 to 63.</param>
internal readonly record struct Invalidation(InvalidationKind Kind, ushort Domain, DeviceId Device, ulong Address, byte Shift)
{
    public static Invalidation All { get; } = new(InvalidationKind.All, 0, default, 0, 0);

    public static Invalidation OfContext(DeviceId device) => new(InvalidationKind.Context, 0, device, 0, 0);

    public static Invalidation OfDomain(ushort domain) => new(InvalidationKind.Domain, domain, default, 0, 0);

    public static Invalidation OfPages(ushort domain, ulong address, int shift) =>
        new(InvalidationKind.Pages, domain, default, address & ~((1UL << shift) - 1), (byte)shift);
}
