namespace FastNest.Iommufd;

/// <summary>
/// Tables that hold the mappings of one IOAS: what a paging HWPT is over. From <see cref="Attach"/> to <see cref="Dispose"/>
/// they follow the IOAS. All members may be called from any thread.
/// </summary>
internal sealed class PagingDomain : IDisposable
{
    private readonly IDomainInvalidation? _invalidation;
    private bool _hugePages = true;
    private bool _splitsPages;
    private bool _attached;
    private int _disposed;

    /// <summary>Makes a domain with empty tables; it is a user of the IOAS until disposed.</summary>
    /// <param name="ioas">Where its mappings come from.</param>
    /// <param name="format">What its tables look like.</param>
    /// <param name="invalidation">Told of what is unmapped, or null when nothing walks the tables.</param>
    /// <exception cref="IommufdException">ENOENT: the IOAS is destroyed. ENOMEM: no page for the top table.</exception>
    public PagingDomain(Ioas ioas, PagingFormat format, IDomainInvalidation? invalidation = null)
    {
        Ioas = ioas;
        Format = format;
        _invalidation = invalidation;
        ioas.AddUser();
        try
        {
            Table = new HostPageTable(ioas.Context.TablePages, format.Levels, format.PageSizes);
        }
        catch
        {
            ioas.ReleaseUser();
            throw;
        }
    }

    public Ioas Ioas { get; }

    public PagingFormat Format { get; }

    public HostPageTable Table { get; }

    /// <summary>The physical address of the top table.</summary>
    public ulong Root => Table.Root;

    /// <summary>The addresses that the tables translate.</summary>
    public IovaRange Aperture => new(0, Table.Last);

    /// <summary>Fills the tables with what the IOAS maps and keeps them so.</summary>
    /// <exception cref="IommufdException">
    /// EADDRINUSE: a mapping is misaligned, or it or an allowed range is outside of the aperture. EFAULT, ENOMEM: pages cannot be
    /// pinned. Nothing is changed.
    /// </exception>
    public void Attach()
    {
        Ioas.AddDomain(this);
        _attached = true;
    }

    /// <summary>Takes the domain off its IOAS and gives the tables back. No walker may use the root any more.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        if (_attached)
        {
            _attached = false;
            Ioas.RemoveDomain(this);
        }

        Table.Dispose();
        Ioas.ReleaseUser();
    }

    /// <summary>Begins dirty tracking, with every page clean.</summary>
    /// <param name="splitsPages">Whether the tables have pages of 4 KiB until tracking ends, so that a bit stands for no more.</param>
    /// <exception cref="IommufdException">ENOMEM: no page for a table. Nothing is changed.</exception>
    public void BeginDirtyTracking(bool splitsPages)
    {
        lock (Ioas.Gate)
        {
            SplitPages(splitsPages);
            if (Table.ReadDirty(0, Aperture.Last, DirtyBitmap.None, clear: true))
            {
                _invalidation?.Invalidate(this, Aperture);
            }
        }
    }

    /// <summary>Ends dirty tracking, when no walker marks any more; pages that were split for it are merged.</summary>
    public void EndDirtyTracking()
    {
        lock (Ioas.Gate)
        {
            SplitPages(false);
        }
    }

    /// <summary>Adds the pages that were written to a bitmap (HWPT_GET_DIRTY_BITMAP), up to the first page that is not mapped.</summary>
    /// <param name="iova">The first address, a multiple of the page size and of the alignment of the IOAS.</param>
    /// <param name="length">Bytes, such a multiple too.</param>
    /// <param name="pageSize">Bytes that a bit stands for, a power of two.</param>
    /// <param name="bitmap">Bits are added to it; bit 0 of byte 0 is the first page.</param>
    /// <param name="clear">Whether what is read begins anew; false is NO_CLEAR.</param>
    /// <exception cref="IommufdException">EOVERFLOW: the range wraps. EINVAL: a value is misaligned. EFAULT: the bitmap is too short.</exception>
    public void ReadDirty(ulong iova, ulong length, ulong pageSize, Memory<byte> bitmap, bool clear)
    {
        if (length > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, $"from 0x{iova:x} on must end within 64 bits");
        }

        if (!ulong.IsPow2(pageSize))
        {
            throw new IommufdException(Errno.EINVAL, "page_size", pageSize, "must be a power of two");
        }

        lock (Ioas.Gate)
        {
            ulong alignment = Math.Max(pageSize, Ioas.Alignment);
            if (length == 0 || ((iova | length) & (alignment - 1)) != 0)
            {
                throw new IommufdException(Errno.EINVAL, "length", length, $"must not be zero and, as iova 0x{iova:x}, a multiple of {alignment}");
            }

            ulong pages = length / pageSize;
            if ((pages + 7) / 8 > (ulong)bitmap.Length)
            {
                throw new IommufdException(Errno.EFAULT, "data", (ulong)bitmap.Length, $"bytes for {pages} pages, one bit each");
            }

            // io_pagetable.c walks mapping after mapping and ends, without a word to the caller, where one does not follow.
            var dirty = new DirtyBitmap(bitmap, iova, int.CreateChecked(ulong.Log2(pageSize)));
            bool any = false;
            Ioas.VisitMapped(
                iova, iova + (length - 1), (_, first, last) => any |= Table.ReadDirty(first, last - first + 1, in dirty, clear));
            if (any && clear)
            {
                _invalidation?.Invalidate(this, new(iova, Math.Min(iova + (length - 1), Aperture.Last)));
            }
        }
    }

    /// <summary>Writes an area's pages, which are pinned, into the tables. Under the lock of the IOAS.</summary>
    internal void Fill(IoasArea area)
    {
        try
        {
            Write(area);
        }
        catch
        {
            Clear(area);
            throw;
        }
    }

    /// <summary>Takes an area out of the tables; afterwards no device reaches its pages. Under the lock of the IOAS.</summary>
    internal void Clear(IoasArea area)
    {
        Table.Unmap(area.Iova, area.Length);
        _invalidation?.Invalidate(this, area.Range);
        Table.GiveBack();
    }

    /// <summary>Nothing in the tables may be used any more. Under the lock of the IOAS.</summary>
    internal void InvalidateAll() => _invalidation?.Invalidate(this, Aperture);

    internal void UseHugePages(bool use)
    {
        _hugePages = use;
        ChoosePageSizes();
    }

    private void ChoosePageSizes() => Table.PageSizes = _hugePages && !_splitsPages ? Format.PageSizes : PageSource.PageSize;

    /// <summary>Gives what is mapped, and what will be, pages of 4 KiB, or again the largest that fit.</summary>
    private void SplitPages(bool split)
    {
        if (split == _splitsPages)
        {
            return;
        }

        _splitsPages = split;
        ChoosePageSizes();
        try
        {
            WriteAnew();
        }
        catch
        {
            // Larger pages need no tables: they can be put back.
            _splitsPages = !split;
            ChoosePageSizes();
            WriteAnew();
            throw;
        }
    }

    private void WriteAnew()
    {
        foreach (IoasArea area in Ioas.PublishedAreas())
        {
            Write(area);
        }

        InvalidateAll();
        Table.GiveBack();
    }

    private void Write(IoasArea area)
    {
        ulong physical = area.Pages.Locate(area.Start, area.Length, out ulong run);
        for (ulong done = 0; done < area.Length;)
        {
            // Pages that follow each other may come from several parts of the source: one page of the table may hold them all.
            ulong next = 0;
            ulong more = 0;
            while (done + run < area.Length)
            {
                next = area.Pages.Locate(area.Start + done + run, area.Length - done - run, out more);
                if (next != physical + run)
                {
                    break;
                }

                run += more;
            }

            Table.Map(area.Iova + done, physical, run, area.Rights);
            done += run;
            (physical, run) = (next, more);
        }
    }
}
