namespace FastNest.Caches;

/// <summary>What a cache counts; written by the port's thread only, read by any.</summary>
internal struct CacheCounters
{
    public long Hits;
    public long Misses;
    public long Fills;
    public long Evictions;
    public long Invalidations;
}
