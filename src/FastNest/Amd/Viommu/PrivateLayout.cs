using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The IOMMU's private address space: what it keeps of each guest in host memory, behind the host table of its own device table
/// entry (digest section 8.5).
/// </summary>
internal static class PrivateLayout
{
    /// <summary>The dirty status of every guest's command buffer.</summary>
    public const ulong DirtyStatus = 0x00_0040_0000;

    /// <summary>Its length in bytes.</summary>
    public const ulong DirtyStatusLength = 0x2000;

    /// <summary>How many device or domain ids a guest has.</summary>
    public const int Ids = 65536;

    private const ulong DeviceIds = 0x10_0000_0000;
    private const ulong DomainIds = 0x20_0000_0000;
    private const ulong CommandBuffers = 0x28_0000_0000;
    private const ulong PprLogs = 0x30_0000_0000;
    private const ulong EventLogs = 0x40_0000_0000;

    /// <summary>Bytes of a device id's entry.</summary>
    public const ulong DeviceIdEntry = 16;

    /// <summary>Bytes of a domain id's entry.</summary>
    public const ulong DomainIdEntry = 8;

    private const ulong RingSlot = 512 << 10;

    /// <summary>Entry of a mapping table: it maps (reading 94).</summary>
    public static readonly BitField Valid = Bit(0);

    /// <summary>Entry of a mapping table: the host's id, of a device in the entry's first quadword (reading 94).</summary>
    public static readonly BitField HostId = Bits(39, 24);

    /// <summary>The first quadword of a mapping table's entry (reading 94).</summary>
    public static ulong Entry(bool valid, ushort host) => Valid.Of(valid ? 1UL : 0) | HostId.Of(host);

    /// <summary>Where the entry of a guest's device id stands; 16 bytes.</summary>
    public static ulong DeviceId(ushort guest, ushort id) => DeviceIds + (((ulong)guest << 16) | id) * DeviceIdEntry;

    /// <summary>Where the entry of a guest's domain id stands; 8 bytes.</summary>
    public static ulong DomainId(ushort guest, ushort id) => DomainIds + (((ulong)guest << 16) | id) * DomainIdEntry;

    /// <summary>Where a guest's ring stands while guests' rings are not at guest physical addresses (reading 104).</summary>
    public static ulong Ring(GuestRing ring, ushort guest) => guest * RingSlot + ring switch
    {
        GuestRing.Command => CommandBuffers,
        GuestRing.Event => EventLogs,
        _ => PprLogs,
    };

    /// <summary>The quadword that holds a guest's dirty bit, and the bit (reading 103).</summary>
    public static (ulong Address, ulong Bit) Dirty(ushort guest)
    {
        ulong at = (ulong)(guest & 0xFF) << 5 | (ulong)(guest >> 13) << 2;
        int bit = (guest >> 8 & 31) + (int)(at & 4) * 8;
        return (DirtyStatus + (at & ~7UL), 1UL << bit);
    }
}
