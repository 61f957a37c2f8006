using System.Numerics;

namespace FastNest.Caches;

/// <summary>
/// A port's set-associative cache of finished translations, pages of every size side by side; owned by one thread. A page
/// of 2^s bytes is found under its own page number, so that it takes one entry and goes with one probe; a lookup tries the
/// sizes that were ever filled, smallest first.
/// </summary>
internal sealed class Iotlb
{
    /// <summary>A range that holds more pages of one size than this is dropped with its whole domain instead.</summary>
    private const int MaximumProbesShift = 6;

    /// <summary>Domains share generations where their low bits agree: dropping too much is always right.</summary>
    private const int GenerationSlots = 1024;

    private readonly Entry[] _entries;
    private readonly int _ways;
    private readonly uint _setMask;
    private readonly ulong[] _domainGenerations = new ulong[GenerationSlots];
    private ulong _generation = 1;
    private ulong _clearedAt = 1;
    private ulong _shiftsFilled;
    private uint _victim;

    /// <param name="sets">A power of two, or 0 for a cache that never holds anything.</param>
    /// <param name="ways">At least 1.</param>
    public Iotlb(int sets, int ways)
    {
        _ways = ways;
        _setMask = (uint)sets - 1;
        _entries = new Entry[sets * ways];
    }

    /// <summary>Finds the page that holds an address.</summary>
    public bool TryGet(ushort domain, ulong address, out IotlbPage page)
    {
        ulong alive = AliveFrom(domain);
        for (ulong shifts = _shiftsFilled; shifts != 0; shifts &= shifts - 1)
        {
            int shift = BitOperations.TrailingZeroCount(shifts);
            foreach (ref Entry entry in Set(domain, address, shift))
            {
                if (entry.Matches(domain, address, shift) && entry.FilledAt >= alive)
                {
                    page = entry.Page;
                    return true;
                }
            }
        }

        page = default;
        return false;
    }

    public void Fill(ushort domain, ulong address, in IotlbPage page)
    {
        if (_entries.Length == 0)
        {
            return;
        }

        ulong alive = AliveFrom(domain);
        Span<Entry> set = Set(domain, address, page.Shift);
        int chosen = -1;
        for (int way = 0; way < set.Length && chosen < 0; way++)
        {
            chosen = set[way].FilledAt < alive || set[way].Matches(domain, address, page.Shift) ? way : -1;
        }

        if (chosen < 0)
        {
            chosen = (int)(_victim++ % (uint)_ways);
        }

        set[chosen] = new Entry { Page = page, Number = address >> page.Shift, Domain = domain, FilledAt = _generation };
        _shiftsFilled |= 1UL << page.Shift;
    }

    /// <summary>Drops every page that overlaps a range.</summary>
    /// <param name="domain">The domain.</param>
    /// <param name="address">The range's start, aligned to its size.</param>
    /// <param name="rangeShift">log2 of the range's size.</param>
    public void Invalidate(ushort domain, ulong address, int rangeShift)
    {
        if (_shiftsFilled == 0)
        {
            return;
        }

        int smallest = BitOperations.TrailingZeroCount(_shiftsFilled);
        if (rangeShift - smallest > MaximumProbesShift)
        {
            Invalidate(domain);
            return;
        }

        for (ulong shifts = _shiftsFilled; shifts != 0; shifts &= shifts - 1)
        {
            int shift = BitOperations.TrailingZeroCount(shifts);
            ulong pages = shift >= rangeShift ? 1 : 1UL << (rangeShift - shift);
            for (ulong i = 0; i < pages; i++)
            {
                ulong at = address + (i << shift);
                foreach (ref Entry entry in Set(domain, at, shift))
                {
                    if (entry.Matches(domain, at, shift))
                    {
                        entry.FilledAt = 0;
                    }
                }
            }
        }
    }

    /// <summary>Drops a domain, in constant time.</summary>
    public void Invalidate(ushort domain) => _domainGenerations[domain % GenerationSlots] = ++_generation;

    /// <summary>Drops everything, in constant time.</summary>
    public void Clear() => _clearedAt = ++_generation;

    private ulong AliveFrom(ushort domain) => Math.Max(_clearedAt, _domainGenerations[domain % GenerationSlots]);

    private Span<Entry> Set(ushort domain, ulong address, int shift)
    {
        if (_entries.Length == 0)
        {
            return [];
        }

        ulong hash = ((address >> shift) + (ulong)shift) * 0x9E37_79B9_7F4A_7C15 + domain * 0xD6E8_FEB8_6659_FD93UL;
        return _entries.AsSpan((int)((uint)(hash >> 32) & _setMask) * _ways, _ways);
    }

    private struct Entry
    {
        public IotlbPage Page;
        public ulong Number;
        public ulong FilledAt;
        public ushort Domain;

        public readonly bool Matches(ushort domain, ulong address, int shift) =>
            Domain == domain && Page.Shift == shift && Number == address >> shift;
    }
}
