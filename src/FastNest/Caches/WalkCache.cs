using System.Numerics;

namespace FastNest.Caches;

/// <summary>
/// A port's cache of the tables met on the way down one stage, so that a walk can begin in the lowest one known. A table
/// of level L is found under the address bits above those that index it. Direct-mapped; owned by one thread.
/// </summary>
internal sealed class WalkCache
{
    private const int HighestLevel = 5;

    private readonly Entry[] _entries;
    private readonly uint _mask;
    private uint _levelsFilled;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public WalkCache(int entries)
    {
        _entries = new Entry[entries];
        _mask = (uint)entries - 1;
    }

    public CacheCounters Counters;

    /// <summary>Finds the lowest table known for an address.</summary>
    public bool TryGet(uint tag, ulong address, out CachedTable table)
    {
        for (uint levels = _levelsFilled; levels != 0; levels &= levels - 1)
        {
            int level = BitOperations.TrailingZeroCount(levels);
            ref Entry entry = ref Slot(tag, address, level);
            if (entry.Matches(tag, address, level))
            {
                Counters.Hits++;
                table = entry.Table;
                return true;
            }
        }

        Counters.Misses++;
        table = default;
        return false;
    }

    public void Fill(uint tag, ulong address, in CachedTable table)
    {
        if (_entries.Length == 0 || table.Level > HighestLevel)
        {
            return;
        }

        ref Entry entry = ref Slot(tag, address, table.Level);
        Counters.Evictions += entry.Tag != 0 && !entry.Matches(tag, address, table.Level) ? 1 : 0;
        Counters.Fills++;
        entry = new Entry { Table = table, Number = address >> Reach(table.Level), Tag = tag };
        _levelsFilled |= 1u << table.Level;
    }

    /// <summary>Drops every table on the way to a range.</summary>
    /// <returns>False, and nothing is dropped, when the range is wider than one lowest table.</returns>
    public bool TryInvalidate(uint tag, ulong address, int rangeShift)
    {
        if (_levelsFilled == 0)
        {
            return true;
        }

        if (rangeShift > Reach(BitOperations.TrailingZeroCount(_levelsFilled)))
        {
            return false;
        }

        for (uint levels = _levelsFilled; levels != 0; levels &= levels - 1)
        {
            int level = BitOperations.TrailingZeroCount(levels);
            ref Entry entry = ref Slot(tag, address, level);
            if (entry.Matches(tag, address, level))
            {
                entry.Tag = 0;
                Counters.Invalidations++;
            }
        }

        return true;
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        Array.Clear(_entries);
        _levelsFilled = 0;
        Counters.Invalidations++;
    }

    /// <summary>log2 of what a table of a level maps.</summary>
    private static int Reach(int level) => 12 + 9 * level;

    private ref Entry Slot(uint tag, ulong address, int level)
    {
        ulong hash = (address >> Reach(level)) * 0x9E37_79B9_7F4A_7C15 + (ulong)level * 0xC2B2_AE3D_27D4_EB4F + tag * 0xD6E8_FEB8_6659_FD93UL;
        return ref _entries[(uint)(hash >> 32) & _mask];
    }

    private struct Entry
    {
        public CachedTable Table;
        public ulong Number;

        /// <summary>0 for an entry that holds nothing.</summary>
        public uint Tag;

        public readonly bool Matches(uint tag, ulong address, int level) =>
            Tag == tag && Table.Level == level && Number == address >> Reach(level);
    }
}
