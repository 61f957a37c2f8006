using System.Numerics;
using FastNest.Caches;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// A port's caches for batches: finished translations by the size class of their page, and for each stage what stands below
/// each 2 MiB of its input, the table of level 1 or a large page.
/// </summary>
internal sealed class LaneCaches
{
    private const int LargeShare = 4;
    private const int SecondShare = 4;
    private const int HugeEntries = 64;

    public LaneCaches(CacheOptions options)
    {
        int entries = options.IotlbSets == 0 ? 0 : (int)BitOperations.RoundUpToPowerOf2((uint)(options.IotlbSets * options.IotlbWays));
        Second = new(entries / SecondShare, SmallGranule.Shift, folds: true);
        Small = new(entries, SmallGranule.Shift, Second);
        Large = new(entries == 0 ? 0 : Math.Max(1, entries / LargeShare), LargeGranule.Shift);
        Huge = new(Math.Min(entries, HugeEntries), HugeGranule.Shift);
        GuestTables = new(options.GuestTableEntries, LaneStage.GranuleShift);
        HostTables = new(options.HostTableEntries, LaneStage.GranuleShift);
    }

    /// <summary>How many requests none of the caches of finished translations knew.</summary>
    public long Missed;

    /// <summary>Pages below 2 MiB.</summary>
    public DirectCache Small { get; }

    /// <summary>Pages below 2 MiB that gave way to others in the first cache of them.</summary>
    public DirectCache Second { get; }

    /// <summary>Pages from 2 MiB on, below 1 GiB.</summary>
    public DirectCache Large { get; }

    /// <summary>Pages from 1 GiB on.</summary>
    public DirectCache Huge { get; }

    /// <summary>Whether there are none at all.</summary>
    public bool AreOff => !(Small.IsOn || GuestTables.IsOn || HostTables.IsOn);

    /// <summary>The one cache of finished translations that holds any; that of small pages if there are several.</summary>
    public DirectCache? Filled => Small.IsFilled ? Small : Large.IsFilled ? Large : Huge.IsFilled ? Huge : null;

    /// <summary>What the caches of finished translations have done.</summary>
    public CacheStatistics IotlbStatistics =>
        (CacheStatistics.Of(in Small.Counters) + CacheStatistics.Of(in Second.Counters) + CacheStatistics.Of(in Large.Counters) + CacheStatistics.Of(in Huge.Counters))
            with
        { Misses = Missed };

    public DirectCache GuestTables { get; }

    public DirectCache HostTables { get; }

    /// <summary>The cache for pages of a size.</summary>
    public DirectCache Of(int shift) => shift < LargeGranule.Shift ? Small : shift < HugeGranule.Shift ? Large : Huge;

    /// <summary>Drops every translation of a range.</summary>
    /// <param name="tag">The tag of the first stage, or of the second without one.</param>
    /// <param name="address">The range's start, aligned to its size.</param>
    /// <param name="rangeShift">log2 of the range's size.</param>
    /// <param name="tables">What was cached of the stage's tables.</param>
    /// <returns>False when the whole tag must be dropped.</returns>
    public bool TryInvalidate(uint tag, ulong address, int rangeShift, DirectCache tables)
    {
        ulong tagged = (ulong)tag << DirectCache.TagShift;
        return Small.TryInvalidate(tagged, address, rangeShift)
            && Second.TryInvalidate(tagged, address, rangeShift)
            && Large.TryInvalidate(tagged, address, rangeShift)
            && Huge.TryInvalidate(tagged, address, rangeShift)
            && tables.TryInvalidate(tagged, address, rangeShift);
    }

    public void Clear()
    {
        Small.Clear();
        Second.Clear();
        Large.Clear();
        Huge.Clear();
        GuestTables.Clear();
        HostTables.Clear();
    }
}
