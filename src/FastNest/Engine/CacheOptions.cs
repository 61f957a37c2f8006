namespace FastNest.Engine;

/// <summary>The sizes of a port's caches; a size of 0 switches a cache off.</summary>
public sealed record CacheOptions
{
    /// <summary>No cache at all: every request reads the tables in memory.</summary>
    public static CacheOptions None { get; } = new() { ContextEntries = 0, IotlbSets = 0 };

    /// <summary>Devices whose context is kept: 0 or a power of two up to 65,536.</summary>
    public int ContextEntries { get; init; } = 256;

    /// <summary>Sets of the IOTLB: 0 or a power of two up to 1,048,576.</summary>
    public int IotlbSets { get; init; } = 1024;

    /// <summary>Entries per set, 1 to 16.</summary>
    public int IotlbWays { get; init; } = 4;

    internal void Check()
    {
        CheckSize(ContextEntries, 1 << 16, nameof(ContextEntries));
        CheckSize(IotlbSets, 1 << 20, nameof(IotlbSets));
        if (IotlbWays is < 1 or > 16)
        {
            throw new ArgumentOutOfRangeException(nameof(IotlbWays), IotlbWays, "must be 1 to 16");
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
