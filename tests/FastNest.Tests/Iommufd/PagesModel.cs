using FastNest.Iommufd;

namespace FastNest.Tests.Iommufd;

/// <summary>A process as a plain dictionary: which physical page stands behind each of its pages, and how many are pinned.</summary>
internal sealed class ProcessModel(long limit)
{
    public Dictionary<ulong, (ulong Physical, bool Writable)> Pages { get; } = [];

    public long Pinned { get; private set; }

    public Errno Charge(long pages)
    {
        if (Pinned + pages > limit)
        {
            return Errno.ENOMEM;
        }

        Pinned += pages;
        return Errno.None;
    }
}

/// <summary>The pages behind one map call, page for page: where they come from, and who pinned which.</summary>
/// <param name="source">The physical page behind a page of the source, or null.</param>
/// <param name="missing">What is answered when there is none.</param>
/// <param name="first">The first page, in pages of the source.</param>
/// <param name="writable">Whether it was mapped to be written.</param>
/// <param name="charged">Whose pins they are.</param>
internal sealed class PagesModel(Func<ulong, bool, ulong?> source, Errno missing, ulong first, bool writable, ProcessModel charged)
{
    private readonly Dictionary<ulong, (ulong Physical, int Pins)> _pinned = [];

    public bool Writable { get; } = writable;

    public ulong First { get; } = first;

    /// <summary>Pins the pages that bytes lie in, all or none.</summary>
    public Errno Pin(ulong start, ulong length)
    {
        var added = new Dictionary<ulong, ulong>();
        for (ulong page = start / IoasMachine.Page; page <= (start + length - 1) / IoasMachine.Page; page++)
        {
            if (!_pinned.ContainsKey(page))
            {
                if (source(First + page, Writable) is not { } physical)
                {
                    return missing;
                }

                added.Add(page, physical);
            }
        }

        Errno errno = charged.Charge(added.Count);
        for (ulong page = start / IoasMachine.Page; errno == Errno.None && page <= (start + length - 1) / IoasMachine.Page; page++)
        {
            _pinned[page] = added.TryGetValue(page, out ulong physical)
                ? (physical, 1)
                : (_pinned[page].Physical, _pinned[page].Pins + 1);
        }

        return errno;
    }

    public void Unpin(ulong start, ulong length)
    {
        for (ulong page = start / IoasMachine.Page; page <= (start + length - 1) / IoasMachine.Page; page++)
        {
            (ulong physical, int pins) = _pinned[page];
            _pinned[page] = (physical, pins - 1);
            if (pins == 1)
            {
                _pinned.Remove(page);
                charged.Charge(-1);
            }
        }
    }

    /// <summary>Where a byte stands now: a pinned page stays where it was when it was pinned.</summary>
    public Errno Locate(ulong at, out ulong physical)
    {
        ulong page = at / IoasMachine.Page;
        ulong? found = _pinned.TryGetValue(page, out (ulong Physical, int Pins) pinned) ? pinned.Physical : source(First + page, Writable);
        physical = (found ?? 0) * IoasMachine.Page + at % IoasMachine.Page;
        return found is null ? missing : Errno.None;
    }
}
