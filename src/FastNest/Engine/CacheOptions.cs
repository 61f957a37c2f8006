using FastNest.Caches;

namespace FastNest.Engine;

/// <summary>The sizes of a port's caches; a size of 0 switches a cache off.</summary>
public sealed record CacheOptions
{
    /// <summary>No cache at all: every request reads the tables in memory.</summary>
    public static CacheOptions None { get; } = new()
    {
        ContextEntries = 0,
        IotlbSets = 0,
        NestedTlbSets = 0,
        GuestTableEntries = 0,
        HostTableEntries = 0,
    };

    /// <summary>One entry in every cache, and tags that run out at once: for tests, as what is rare elsewhere is common here.</summary>
    public static CacheOptions Smallest { get; } = new()
    {
        ContextEntries = 1,
        IotlbSets = 1,
        IotlbWays = 1,
        NestedTlbSets = 1,
        NestedTlbWays = 1,
        GuestTableEntries = 1,
        HostTableEntries = 1,
        Tags = 4,
    };

    /// <summary>Contexts of devices and PASIDs that are kept: 0 or a power of two up to 65,536.</summary>
    public int ContextEntries { get; init; } = 1024;

    /// <summary>Sets of the IOTLB: 0 or a power of two up to 1,048,576.</summary>
    public int IotlbSets { get; init; } = 1024;

    /// <summary>Entries per set, 1 to 16.</summary>
    public int IotlbWays { get; init; } = 4;

    /// <summary>Sets of the nested TLB, pages of the second stage: 0 or a power of two up to 1,048,576.</summary>
    public int NestedTlbSets { get; init; } = 1024;

    /// <summary>Entries per set of the nested TLB, 1 to 16.</summary>
    public int NestedTlbWays { get; init; } = 4;

    /// <summary>Tables of the first stage: 0 or a power of two up to 1,048,576.</summary>
    public int GuestTableEntries { get; init; } = 16_384;

    /// <summary>Tables of the second stage: 0 or a power of two up to 1,048,576.</summary>
    public int HostTableEntries { get; init; } = 16_384;

    /// <summary>How many tags tell domains and PASIDs apart before all caches are dropped once, at least 3; for tests.</summary>
    internal uint Tags { get; init; } = DirectCache.Tags;

    /// <summary>Entries of all caches together.</summary>
    internal long Entries =>
        (long)IotlbSets * IotlbWays + (long)NestedTlbSets * NestedTlbWays + ContextEntries + GuestTableEntries + HostTableEntries;

    internal void Check()
    {
        CheckSize(ContextEntries, 1 << 16, nameof(ContextEntries));
        CheckSize(IotlbSets, 1 << 20, nameof(IotlbSets));
        CheckSize(NestedTlbSets, 1 << 20, nameof(NestedTlbSets));
        CheckSize(GuestTableEntries, 1 << 20, nameof(GuestTableEntries));
        CheckSize(HostTableEntries, 1 << 20, nameof(HostTableEntries));
        CheckWays(IotlbWays, nameof(IotlbWays));
        CheckWays(NestedTlbWays, nameof(NestedTlbWays));
    }

    private static void CheckWays(int value, string name)
    {
        if (value is < 1 or > 16)
        {
            throw new ArgumentOutOfRangeException(name, value, "must be 1 to 16");
        }
    }

    private static void CheckSize(int value, int limit, string name)
    {
        if (value < 0 || value > limit || (value & (value - 1)) != 0)
        {
            throw new ArgumentOutOfRangeException(name, value, $"must be 0 or a power of two up to {limit}");
        }
    }
}
