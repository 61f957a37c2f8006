using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// The pages behind one IOAS_MAP, shared by all copies of the mapping. A page is pinned as long as a domain's table or an
/// access holds it, and counted once however many do. Members may be called from any thread.
/// </summary>
internal sealed class MappedPages
{
    private const ulong PageSize = PageSource.PageSize;

    private readonly Lock _gate = new();
    private readonly OrderedMap<PinnedRun> _pinned = new();
    private readonly PageSource _source;
    private readonly ulong _start;
    private UserAddressSpace _charged;
    private ulong _count;

    /// <summary>Makes pages of which none is pinned.</summary>
    /// <param name="source">Where they come from.</param>
    /// <param name="start">The address of the first byte in the source; the pages begin with the one that holds it.</param>
    /// <param name="writable">Whether devices may ever write them.</param>
    /// <param name="charged">The process whose limit counts them.</param>
    public MappedPages(PageSource source, ulong start, bool writable, UserAddressSpace charged)
    {
        _source = source;
        _start = start & ~(PageSize - 1);
        Writable = writable;
        _charged = charged;
    }

    public bool Writable { get; }

    public bool IsFile => _source.IsFile;

    /// <summary>The address in the source that a byte comes from.</summary>
    public ulong AddressOf(ulong at) => _start + at;

    /// <summary>Pins the pages that bytes lie in; bytes count from the start of the first page.</summary>
    /// <exception cref="IommufdException">EFAULT, EINVAL: no memory is there. ENOMEM: the limit is reached. Nothing is pinned.</exception>
    public void Pin(ulong firstByte, ulong lastByte)
    {
        ulong first = firstByte / PageSize;
        ulong last = lastByte / PageSize;
        lock (_gate)
        {
            var added = new List<PinnedRun>();
            ulong pages = 0;
            try
            {
                for (ulong page = first; page <= last;)
                {
                    if (_pinned.TryFloor(page, out PinnedRun? run) && run.Last >= page)
                    {
                        page = run.Last + 1;
                        continue;
                    }

                    ulong end = _pinned.TryCeiling(page, out PinnedRun? next) ? Math.Min(last, next.First - 1) : last;
                    _source.Find(_start + page * PageSize, end - page + 1, Writable, out SourceRun found);
                    added.Add(PinnedRun.Take(page, found));
                    page += found.Pages;
                    pages += found.Pages;
                }

                _charged.Charge(pages);
            }
            catch (IommufdException)
            {
                added.ForEach(static run => run.Release());
                throw;
            }

            _count += pages;
            foreach (PinnedRun run in added)
            {
                _pinned.Add(run.First, run);
            }

            Cut(first);
            Cut(last + 1);
            foreach (PinnedRun run in _pinned.From(first, static run => run.Last))
            {
                if (run.First > last)
                {
                    break;
                }

                run.Pins++;
            }

            Mend(first);
            Mend(last + 1);
        }
    }

    /// <summary>Takes back one pin of each page that bytes lie in.</summary>
    public void Unpin(ulong firstByte, ulong lastByte)
    {
        ulong first = firstByte / PageSize;
        ulong last = lastByte / PageSize;
        lock (_gate)
        {
            Cut(first);
            Cut(last + 1);
            ulong pages = 0;
            foreach (PinnedRun run in _pinned.From(first, static run => run.Last))
            {
                if (run.First > last)
                {
                    break;
                }

                if (--run.Pins == 0)
                {
                    _pinned.Remove(run.First);
                    run.Release();
                    pages += run.Last - run.First + 1;
                }
            }

            _count -= pages;
            _charged.Uncharge(pages);
            Mend(first);
            Mend(last + 1);
        }
    }

    /// <summary>Where a byte stands, and how many bytes follow it there; pinned or not.</summary>
    /// <exception cref="IommufdException">EFAULT, EINVAL: no memory is there.</exception>
    public ulong Locate(ulong at, ulong limit, out ulong length)
    {
        ulong page = at / PageSize;
        ulong within = at % PageSize;
        lock (_gate)
        {
            if (_pinned.TryFloor(page, out PinnedRun? run) && run.Last >= page)
            {
                length = Math.Min(limit, (run.Last - page + 1) * PageSize - within);
                return run.Physical + (page - run.First) * PageSize + within;
            }

            ulong pages = (within + limit - 1) / PageSize + 1;
            ulong end = _pinned.TryCeiling(page, out PinnedRun? next) ? next.First - page : pages;
            _source.Find(_start + page * PageSize, Math.Min(pages, end), Writable, out SourceRun found);
            length = Math.Min(limit, found.Pages * PageSize - within);
            return found.Physical + within;
        }
    }

    /// <summary>Lets another process' limit count the pages.</summary>
    /// <returns>The process that counted them before.</returns>
    /// <exception cref="IommufdException">ENOMEM: its limit is reached; nothing is changed.</exception>
    public UserAddressSpace ChargeTo(UserAddressSpace process)
    {
        lock (_gate)
        {
            process.Charge(_count);
            _charged.Uncharge(_count);
            UserAddressSpace before = _charged;
            _charged = process;
            return before;
        }
    }

    /// <summary>Lets a run begin at a page, where one goes across it.</summary>
    private void Cut(ulong page)
    {
        if (page != 0 && _pinned.TryFloor(page - 1, out PinnedRun? run) && run.Last >= page)
        {
            _pinned.Add(page, run.CutAt(page));
        }
    }

    /// <summary>Makes one run of the two that meet before a page, where they are alike.</summary>
    private void Mend(ulong page)
    {
        if (page != 0
            && _pinned.TryFloor(page - 1, out PinnedRun? before)
            && _pinned.TryFloor(page, out PinnedRun? after)
            && before.GoesOnIn(after))
        {
            _pinned.Remove(after.First);
            before.Last = after.Last;
            after.Release();
        }
    }

    /// <summary>Pages that follow each other, pinned equally often, in one region that is kept from being released.</summary>
    private sealed class PinnedRun(ulong first, ulong last, ulong physical, MemoryRegion region, MemoryPin hold)
    {
        public ulong First { get; } = first;

        public ulong Last { get; set; } = last;

        public ulong Physical { get; } = physical;

        public int Pins { get; set; }

        private MemoryRegion Region { get; } = region;

        public static PinnedRun Take(ulong page, in SourceRun found) => found.Region.TryPin(out MemoryPin? hold)
            ? new(page, page + found.Pages - 1, found.Physical, found.Region, hold!)
            : throw new IommufdException(Errno.EFAULT, "physical", found.Physical, "the memory was removed meanwhile");

        public PinnedRun CutAt(ulong page)
        {
            // The run holds the region, so that it can be held once more.
            Region.TryPin(out MemoryPin? pin);
            var rest = new PinnedRun(page, Last, Physical + (page - First) * PageSize, Region, pin!) { Pins = Pins };
            Last = page - 1;
            return rest;
        }

        public bool GoesOnIn(PinnedRun next) =>
            next.First == Last + 1
            && next.Pins == Pins
            && next.Region == Region
            && next.Physical == Physical + (next.First - First) * PageSize;

        public void Release() => hold.Dispose();
    }
}
