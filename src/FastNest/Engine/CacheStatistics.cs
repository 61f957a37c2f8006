using FastNest.Caches;

namespace FastNest.Engine;

/// <summary>What one cache of a port has done so far.</summary>
/// <param name="Hits">Lookups that found something.</param>
/// <param name="Misses">Lookups that found nothing.</param>
/// <param name="Fills">Entries written.</param>
/// <param name="Evictions">Entries that gave way to another.</param>
/// <param name="Invalidations">Entries dropped one by one, and whole-cache drops.</param>
public readonly record struct CacheStatistics(long Hits, long Misses, long Fills, long Evictions, long Invalidations)
{
    /// <summary>What two caches have done together.</summary>
    public static CacheStatistics operator +(CacheStatistics left, CacheStatistics right) => left.Add(right);

    /// <summary>What two caches have done together.</summary>
    /// <param name="other">The other cache.</param>
    public CacheStatistics Add(CacheStatistics other) => new(
        Hits + other.Hits,
        Misses + other.Misses,
        Fills + other.Fills,
        Evictions + other.Evictions,
        Invalidations + other.Invalidations);

    internal static CacheStatistics Of(in CacheCounters counters) =>
        new(counters.Hits, counters.Misses, counters.Fills, counters.Evictions, counters.Invalidations);
}

/// <summary>What a port's caches have done so far. A snapshot: counts of a port that runs meanwhile may be of different moments.</summary>
/// <param name="Contexts">The context cache.</param>
/// <param name="Iotlb">Finished translations.</param>
/// <param name="NestedTlb">Pages of the second stage, for guest tables and guest pages.</param>
/// <param name="GuestTables">Tables of the first stage.</param>
/// <param name="HostTables">Tables of the second stage.</param>
public readonly record struct PortStatistics(
    CacheStatistics Contexts,
    CacheStatistics Iotlb,
    CacheStatistics NestedTlb,
    CacheStatistics GuestTables,
    CacheStatistics HostTables);
