using FastNest.Formats;

namespace FastNest.Iommufd;

/// <content>What devices wrote: the Dirty bits that walkers set in leaves.</content>
internal sealed partial class HostPageTable
{
    /// <summary>Adds the pages written in a range to a bitmap.</summary>
    /// <param name="iova">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096, not zero.</param>
    /// <param name="bitmap">Gets the bits; what is set stays set.</param>
    /// <param name="clear">Whether the pages begin anew; caches must be invalidated then.</param>
    /// <returns>Whether a page was dirty.</returns>
    public bool ReadDirty(ulong iova, ulong length, in DirtyBitmap bitmap, bool clear) =>
        ReadDirty(Root, Levels, iova, iova + (length - 1), in bitmap, clear);

    private bool ReadDirty(ulong table, int level, ulong first, ulong last, in DirtyBitmap bitmap, bool clear)
    {
        Span<ulong> entries = _pages.Entries(table);
        int shift = AmdV1.IndexShift(level);
        ulong span = 1UL << shift;
        bool any = false;
        for (ulong at = first; at <= last;)
        {
            int index = (int)(at >> shift) & (Entries - 1);
            ulong start = at & ~(span - 1);
            ulong end = start + (span - 1);
            ulong entry = Volatile.Read(ref entries[index]);
            if (AmdV1Entry.IsDirectory(entry))
            {
                any |= ReadDirty(entry & AmdV1.Address, level - 1, at, Math.Min(end, last), in bitmap, clear);
            }
            else if (entry != 0)
            {
                int size = AmdV1.Decode(entry, level).Next;
                start = at & ~((1UL << size) - 1);
                end = start + ((1UL << size) - 1);
                int count = 1 << (size - shift);
                if (TakeDirty(entries.Slice(index & ~(count - 1), count), clear))
                {
                    any = true;
                    bitmap.Set(Math.Max(start, first), Math.Min(end, last));
                }
            }

            if (end >= last)
            {
                break;
            }

            at = end + 1;
        }

        return any;
    }

    /// <summary>Whether one of the entries of a page is dirty. A walker may set the bit at any moment: each is taken at once.</summary>
    private static bool TakeDirty(Span<ulong> entries, bool clear)
    {
        bool dirty = false;
        foreach (ref ulong entry in entries)
        {
            ulong seen = Volatile.Read(ref entry);
            if ((seen & AmdV1.Dirty) != 0)
            {
                dirty = true;
                if (clear)
                {
                    Interlocked.And(ref entry, ~AmdV1.Dirty);
                }
            }
        }

        return dirty;
    }
}
