using System.Numerics;
using FastNest.Formats;

namespace FastNest.Iommufd;

/// <content>The way down to where pages are written, and the sizes that they get.</content>
internal sealed partial class HostPageTable
{
    private void Fill(ulong table, int level, ulong iova, ulong physical, ulong length, ulong leaf)
    {
        Span<ulong> entries = _pages.Entries(table);
        int shift = AmdV1.IndexShift(level);
        if (level == 1)
        {
            (_recentSpan, _recentTable) = (iova >> AmdV1.IndexShift(2), table);
        }

        Uncut(entries, level, iova, length);
        while (length != 0)
        {
            int index = (int)(iova >> shift) & (Entries - 1);
            int size = PageShift(level, iova, physical, length, out ulong reach);
            ulong done;
            if (size != 0)
            {
                done = WriteRun(entries[index..], level, size, physical, Math.Min(reach, length), leaf);
            }
            else
            {
                ulong span = 1UL << shift;
                done = Math.Min(length, span - (iova & (span - 1)));
                Fill(Child(entries, index, level), level - 1, iova, physical, done, leaf);
            }

            iova += done;
            physical += done;
            length -= done;
        }
    }

    /// <summary>
    /// The largest page that may begin here in a table of a level, or 0 when the way leads further down; and for how many bytes
    /// no larger page of the level could begin.
    /// </summary>
    private int PageShift(int level, ulong iova, ulong physical, ulong length, out ulong reach)
    {
        reach = ulong.MaxValue;
        if (level == AmdV1.MaximumLevels)
        {
            return 0;
        }

        int shift = AmdV1.IndexShift(level);
        ulong here = PageSizes & ((1UL << (shift + IndexBits)) - 1) & ~((1UL << shift) - 1);
        ulong place = iova | physical;
        ulong fits = here & ((2UL << BitOperations.Log2(length)) - 1);
        ulong begins = place == 0 ? fits : fits & ((place & (~place + 1)) << 1) - 1;
        int size = begins == 0 ? 0 : BitOperations.Log2(begins);
        ulong larger = fits & ~((2UL << size) - 1);
        if (size != 0 && larger != 0)
        {
            ulong next = 1UL << BitOperations.TrailingZeroCount(larger);
            if (((iova ^ physical) & (next - 1)) == 0)
            {
                reach = next - (iova & (next - 1));
            }
        }

        return size;
    }

    /// <summary>Writes pages of one size to the end of the run or of the table; returns how many bytes they map.</summary>
    private ulong WriteRun(Span<ulong> entries, int level, int size, ulong physical, ulong length, ulong leaf)
    {
        int each = 1 << (size - AmdV1.IndexShift(level));
        int pages = (int)Math.Min((ulong)(entries.Length / each), length >> size);
        ulong step = 1UL << size;
        ulong entry = leaf | physical;
        if (level > 1)
        {
            for (int i = 0; i < pages * each; i++)
            {
                Replace(ref entries[i], level, each == 1 ? entry : AmdV1Entry.Sized(entry, size));
                entry += (i + 1) % each == 0 ? step : 0;
            }
        }
        else if (each == 1)
        {
            foreach (ref ulong place in entries[..pages])
            {
                Volatile.Write(ref place, entry);
                entry += step;
            }
        }
        else
        {
            for (int page = 0; page < pages; page++)
            {
                Store(entries.Slice(page * each, each), AmdV1Entry.Sized(entry, size));
                entry += step;
            }
        }

        return (ulong)pages << size;
    }

    /// <summary>Writes an entry above level 1, and unlinks what it led to.</summary>
    private void Replace(ref ulong place, int level, ulong entry)
    {
        ulong before = place;
        Volatile.Write(ref place, entry);
        if (AmdV1Entry.IsDirectory(before))
        {
            _recentSpan = ulong.MaxValue;
            Unlink(before & AmdV1.Address, level - 1);
        }
    }

    /// <summary>Writes an entry many times. A walker finds each old or new: no entry is written in pieces, as Fill and Clear may.</summary>
    private static void Store(Span<ulong> entries, ulong entry)
    {
        foreach (ref ulong place in entries)
        {
            Volatile.Write(ref place, entry);
        }
    }

    /// <summary>The table below an entry; where there is none, an empty one, or one that maps what the entry's page did.</summary>
    private ulong Child(Span<ulong> entries, int index, int level)
    {
        ref ulong entry = ref entries[index];
        if (!AmdV1Entry.IsDirectory(entry))
        {
            ulong table = _pages.Take();
            if (entry != 0)
            {
                Single(entries, index, level);
                Spread(entry, _pages.Entries(table), AmdV1.IndexShift(level - 1));
            }

            // The page is complete before a walker can find it.
            Volatile.Write(ref entry, AmdV1Entry.Directory(table, level - 1));
        }

        return entry & AmdV1.Address;
    }

    /// <summary>Sees to it that the ends of a range do not cut a page that stands in several entries of a table.</summary>
    private static void Uncut(Span<ulong> entries, int level, ulong iova, ulong length)
    {
        int shift = AmdV1.IndexShift(level);
        int first = (int)(iova >> shift) & (Entries - 1);
        ulong last = (ulong)first + (((iova & ((1UL << shift) - 1)) + (length - 1)) >> shift);
        Single(entries, first, level);
        Single(entries, (int)Math.Min(last, Entries - 1), level);
    }

    /// <summary>Puts a page of its own in each entry of a page that stands in several.</summary>
    private static void Single(Span<ulong> entries, int index, int level)
    {
        if (AmdV1Entry.IsSized(entries[index]))
        {
            DecodedEntry page = AmdV1.Decode(entries[index], level);
            int shift = AmdV1.IndexShift(level);
            int count = 1 << (page.Next - shift);
            Spread(AmdV1Entry.Plain(entries[index], page.Address), entries.Slice(index & ~(count - 1), count), shift);
        }
    }

    /// <summary>Writes pages of one size, beginning where a page does and with its rights.</summary>
    private static void Spread(ulong entry, Span<ulong> entries, int shift)
    {
        foreach (ref ulong place in entries)
        {
            Volatile.Write(ref place, entry);
            entry += 1UL << shift;
        }
    }
}
