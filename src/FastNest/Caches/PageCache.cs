using System.Numerics;

namespace FastNest.Caches;

/// <summary>
/// A port's set-associative cache of pages, every size side by side: the IOTLB, and the nested TLB of the second stage. A
/// page takes one entry, under its own page number, and goes with one probe; a lookup tries the sizes that were ever
/// filled, smallest first. Whole domains go by never using their tag again. Owned by one thread.
/// </summary>
internal sealed class PageCache
{
    /// <summary>A range that holds more pages of one size than this is dropped with its whole tag instead.</summary>
    private const int MaximumProbesShift = 6;

    private readonly Entry[] _entries;
    private readonly int _ways;
    private readonly uint _setMask;
    private ulong _shiftsFilled;
    private uint _victim;

    /// <param name="sets">A power of two, or 0 for a cache that never holds anything.</param>
    /// <param name="ways">At least 1.</param>
    public PageCache(int sets, int ways)
    {
        _ways = ways;
        _setMask = (uint)sets - 1;
        _entries = new Entry[sets * ways];
    }

    public CacheCounters Counters;

    /// <summary>Finds the page that holds an address.</summary>
    public bool TryGet(uint tag, ulong address, out CachedPage page)
    {
        for (ulong shifts = _shiftsFilled; shifts != 0; shifts &= shifts - 1)
        {
            int shift = BitOperations.TrailingZeroCount(shifts);
            foreach (ref Entry entry in Set(tag, address, shift))
            {
                if (entry.Matches(tag, address, shift))
                {
                    Counters.Hits++;
                    page = entry.Page;
                    return true;
                }
            }
        }

        Counters.Misses++;
        page = default;
        return false;
    }

    /// <summary>Keeps a page, in place of what is known of the same page, of nothing, or of another in its set.</summary>
    public void Fill(uint tag, ulong address, in CachedPage page)
    {
        if (_entries.Length == 0)
        {
            return;
        }

        Span<Entry> set = Set(tag, address, page.Shift);
        int chosen = -1;
        for (int way = 0; way < set.Length; way++)
        {
            if (set[way].Matches(tag, address, page.Shift))
            {
                chosen = way;
                break;
            }

            chosen = set[way].Tag == 0 && chosen < 0 ? way : chosen;
        }

        if (chosen < 0)
        {
            chosen = (int)(_victim++ % (uint)_ways);
            Counters.Evictions++;
        }

        Counters.Fills++;
        set[chosen] = new Entry { Page = page, Number = address >> page.Shift, Tag = tag };
        _shiftsFilled |= 1UL << page.Shift;
    }

    /// <summary>Drops every page that overlaps a range.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="address">The range's start, aligned to its size.</param>
    /// <param name="rangeShift">log2 of the range's size.</param>
    /// <returns>False, and nothing is dropped, when the range is too large to be probed.</returns>
    public bool TryInvalidate(uint tag, ulong address, int rangeShift)
    {
        if (_shiftsFilled == 0)
        {
            return true;
        }

        if (rangeShift - BitOperations.TrailingZeroCount(_shiftsFilled) > MaximumProbesShift)
        {
            return false;
        }

        for (ulong shifts = _shiftsFilled; shifts != 0; shifts &= shifts - 1)
        {
            int shift = BitOperations.TrailingZeroCount(shifts);
            ulong pages = shift >= rangeShift ? 1 : 1UL << (rangeShift - shift);
            for (ulong i = 0; i < pages; i++)
            {
                Drop(tag, address + (i << shift), shift);
            }
        }

        return true;
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        Array.Clear(_entries);
        _shiftsFilled = 0;
        Counters.Invalidations++;
    }

    private void Drop(uint tag, ulong address, int shift)
    {
        foreach (ref Entry entry in Set(tag, address, shift))
        {
            if (entry.Matches(tag, address, shift))
            {
                entry.Tag = 0;
                Counters.Invalidations++;
            }
        }
    }

    private Span<Entry> Set(uint tag, ulong address, int shift)
    {
        if (_entries.Length == 0)
        {
            return [];
        }

        ulong hash = (address >> shift) * 0x9E37_79B9_7F4A_7C15 + (ulong)shift * 0xC2B2_AE3D_27D4_EB4F + tag * 0xD6E8_FEB8_6659_FD93UL;
        return _entries.AsSpan((int)((uint)(hash >> 32) & _setMask) * _ways, _ways);
    }

    private struct Entry
    {
        public CachedPage Page;
        public ulong Number;

        /// <summary>0 for an entry that holds nothing.</summary>
        public uint Tag;

        public readonly bool Matches(uint tag, ulong address, int shift) =>
            Tag == tag && Page.Shift == shift && Number == address >> shift;
    }
}
