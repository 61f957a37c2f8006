using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>What an invalidation takes away.</summary>
internal enum InvalidationKind : byte
{
    /// <summary>Everything cached.</summary>
    All,

    /// <summary>The context of one device, for every PASID.</summary>
    Context,

    /// <summary>Everything cached from one domain's tables, of both stages.</summary>
    Domain,

    /// <summary>An address range of one domain's second stage, and all that was translated through guest tables over it.</summary>
    DomainPages,

    /// <summary>Everything cached from one PASID's guest tables.</summary>
    Pasid,

    /// <summary>An address range of one PASID.</summary>
    PasidPages,
}

/// <summary>One invalidation, as a front end publishes it.</summary>
/// <param name="Kind">What is taken away.</param>
/// <param name="Domain">The domain, but for a context.</param>
/// <param name="Id">The device of a context, or the PASID.</param>
/// <param name="Address">For pages: the range's start, aligned to its size.</param>
/// <param name="Shift">For pages: log2 of the range's size, 12 to 63.</param>
internal readonly record struct Invalidation(InvalidationKind Kind, ushort Domain, uint Id, ulong Address, byte Shift)
{
    public static Invalidation All { get; } = new(InvalidationKind.All, 0, 0, 0, 0);

    public static Invalidation OfContext(DeviceId device) => new(InvalidationKind.Context, 0, device.Value, 0, 0);

    public static Invalidation OfDomain(ushort domain) => new(InvalidationKind.Domain, domain, 0, 0, 0);

    public static Invalidation OfDomain(ushort domain, ulong address, int shift) =>
        new(InvalidationKind.DomainPages, domain, 0, Align(address, shift), (byte)shift);

    public static Invalidation OfPasid(ushort domain, uint pasid) => new(InvalidationKind.Pasid, domain, pasid, 0, 0);

    public static Invalidation OfPasid(ushort domain, uint pasid, ulong address, int shift) =>
        new(InvalidationKind.PasidPages, domain, pasid, Align(address, shift), (byte)shift);

    private static ulong Align(ulong address, int shift) => address & ~((1UL << shift) - 1);
}
