using System.Numerics;
using FastNest.Formats;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>
/// Writes AMD v1 tables: whole runs at a time, in the largest pages that fit. Walkers may read meanwhile and find each entry old
/// or new; callers write one at a time.
/// </summary>
internal sealed partial class HostPageTable : IDisposable
{
    /// <summary>Pages of 4 KiB, 2 MiB and 1 GiB.</summary>
    public const ulong DefaultPageSizes = 1UL << 12 | 1UL << 21 | 1UL << 30;

    private const int Entries = 512;
    private const int IndexBits = 9;

    private readonly TablePages _pages;
    private readonly List<ulong> _unlinked = [];

    // The table of level 1 that was written last, for runs too short to be worth the way down each.
    private ulong _recentSpan = ulong.MaxValue;
    private ulong _recentTable;

    /// <summary>Makes an empty table.</summary>
    /// <param name="pages">Where its pages come from and go to.</param>
    /// <param name="levels">The level of the top table, 1 to 6.</param>
    /// <param name="pageSizes">One bit for each page size in bytes; 4 KiB must be there.</param>
    public HostPageTable(TablePages pages, int levels, ulong pageSizes = DefaultPageSizes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(levels, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(levels, AmdV1.MaximumLevels);
        if (BitOperations.TrailingZeroCount(pageSizes) != AmdV1.IndexShift(1))
        {
            throw new ArgumentException($"page sizes 0x{pageSizes:x}: the least must be 4096", nameof(pageSizes));
        }

        _pages = pages;
        Levels = levels;
        PageSizes = pageSizes;
        Root = pages.Take();
    }

    /// <summary>The physical address of the top table.</summary>
    public ulong Root { get; }

    /// <summary>The level of the top table.</summary>
    public int Levels { get; }

    /// <summary>One bit for each page size in bytes.</summary>
    public ulong PageSizes { get; set; }

    /// <summary>The last address that the table translates.</summary>
    public ulong Last => Levels == AmdV1.MaximumLevels ? ulong.MaxValue : (1UL << AmdV1.IndexShift(Levels + 1)) - 1;

    /// <summary>
    /// Maps a run of pages. What is mapped there already is replaced, entry by entry: a larger page is split first, and tables that
    /// a larger page replaces are unlinked, as by <see cref="Unmap"/>.
    /// </summary>
    /// <param name="iova">The first address, a multiple of 4096.</param>
    /// <param name="physical">What it stands for, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096; the end is within the table.</param>
    /// <param name="rights">Read, write or both.</param>
    /// <exception cref="IommufdException">ENOMEM: no page for a table; what is mapped so far must be unmapped by the caller.</exception>
    public void Map(ulong iova, ulong physical, ulong length, Access rights)
    {
        ulong leaf = AmdV1Entry.Leaf(rights);
        ulong span = iova >> AmdV1.IndexShift(2);
        if (span == _recentSpan && (iova + length - 1) >> AmdV1.IndexShift(2) == span && length >> AmdV1.IndexShift(2) == 0)
        {
            Fill(_recentTable, 1, iova, physical, length, leaf);
            return;
        }

        Fill(Root, Levels, iova, physical, length, leaf);
    }

    /// <summary>Maps the same page of 4 KiB all over a range, where nothing or pages of 4 KiB are mapped.</summary>
    /// <param name="iova">The first address, a multiple of 4096.</param>
    /// <param name="physical">The page.</param>
    /// <param name="length">Bytes, a multiple of 4096; the end is within the table.</param>
    /// <param name="rights">Read, write or both.</param>
    /// <exception cref="IommufdException">ENOMEM: as for <see cref="Map"/>.</exception>
    public void Repeat(ulong iova, ulong physical, ulong length, Access rights)
    {
        for (ulong done = 0; done < length;)
        {
            Map(iova + done, physical, PageSource.PageSize, rights);
            Span<ulong> rest = _pages.Entries(_recentTable)[((int)((iova + done) >> AmdV1.IndexShift(1)) & (Entries - 1))..];
            int count = (int)Math.Min((ulong)rest.Length, (length - done) / PageSource.PageSize);
            Store(rest[..count], AmdV1Entry.Leaf(rights) | physical);
            done += (ulong)count * PageSource.PageSize;
        }
    }

    /// <summary>
    /// Takes out what is mapped in a range; a page that an end cuts is split. Tables left empty are unlinked; they go back with
    /// <see cref="GiveBack"/>, when no walker or cache knows them any more.
    /// </summary>
    /// <param name="iova">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096.</param>
    /// <exception cref="IommufdException">ENOMEM: no page for the table of a page that is cut; the rest of the range is still mapped.</exception>
    public void Unmap(ulong iova, ulong length)
    {
        _recentSpan = ulong.MaxValue;
        Clear(Root, Levels, iova, length);
    }

    /// <summary>Gives back the tables that were unlinked; call it when the range has been invalidated.</summary>
    public void GiveBack() => _pages.Give(_unlinked);

    /// <summary>Gives everything back. No walker may know the root any more.</summary>
    public void Dispose()
    {
        Unlink(Root, Levels);
        GiveBack();
    }

    /// <summary>Returns whether the table is empty now.</summary>
    private bool Clear(ulong table, int level, ulong iova, ulong length)
    {
        Span<ulong> entries = _pages.Entries(table);
        int shift = AmdV1.IndexShift(level);
        ulong span = 1UL << shift;
        Uncut(entries, level, iova, length);
        while (length != 0)
        {
            int index = (int)(iova >> shift) & (Entries - 1);
            ulong done = Math.Min(length, span - (iova & (span - 1)));
            ulong entry = entries[index];
            if (level == 1)
            {
                int count = (int)Math.Min(length >> shift, (ulong)(Entries - index));
                Store(entries.Slice(index, count), 0);
                done = (ulong)count << shift;
            }
            else if (done == span)
            {
                Replace(ref entries[index], level, 0);
            }
            else if (entry != 0 && Clear(Child(entries, index, level), level - 1, iova, done))
            {
                entry = entries[index];
                Volatile.Write(ref entries[index], 0);
                _unlinked.Add(entry & AmdV1.Address);
            }

            iova += done;
            length -= done;
        }

        return !entries.ContainsAnyExcept(0UL);
    }

    private void Unlink(ulong table, int level)
    {
        if (level > 1)
        {
            foreach (ulong entry in _pages.Entries(table))
            {
                if (AmdV1Entry.IsDirectory(entry))
                {
                    Unlink(entry & AmdV1.Address, level - 1);
                }
            }
        }

        _unlinked.Add(table);
    }
}
