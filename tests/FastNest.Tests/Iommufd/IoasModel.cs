using FastNest.Iommufd;
using FastNest.Requests;

namespace FastNest.Tests.Iommufd;

/// <summary>One mapping of the model.</summary>
internal sealed record AreaModel(ulong Iova, ulong Length, PagesModel Pages, ulong Start, Access Rights)
{
    public ulong Last => Iova + (Length - 1);

    /// <summary>The domains in whose tables all pages are of 4 KiB.</summary>
    public HashSet<object> Small { get; } = [];

    public void Write(object domain, bool small)
    {
        Small.Remove(domain);
        if (small)
        {
            Small.Add(domain);
        }
    }

    public bool Overlaps(IovaRange range) => Iova <= range.Last && range.First <= Last;

    public bool IsAligned(ulong alignment) => ((Iova | Length | Start) & (alignment - 1)) == 0;
}

/// <summary>An access of the model: where it is attached, and what it has pinned.</summary>
/// <param name="PinsPages">Whether it may pin.</param>
/// <param name="LetsGo">Whether its owner unpins what is unmapped.</param>
/// <param name="Locks">Whether its pins forbid to unmap.</param>
internal sealed record AccessModel(bool PinsPages, bool LetsGo, bool Locks)
{
    public IoasModel? Ioas { get; set; }

    public List<IovaRange> Pins { get; } = [];
}

/// <summary>An IOAS as plain lists that are searched from one end to the other: the digest's rules, and nothing to be quick.</summary>
internal sealed class IoasModel
{
    private const ulong Page = IoasMachine.Page;
    private const ulong LargestStep = 2 << 20;

    public List<AreaModel> Areas { get; } = [];

    public List<(object Owner, IovaRange Range)> Reserved { get; } = [];

    public List<IovaRange> Allowed { get; private set; } = [];

    public List<AccessModel> Accesses { get; } = [];

    public List<object> Domains { get; } = [];

    public bool HugePages { get; private set; } = true;

    /// <summary>Whether a domain has its pages split, whatever is mapped.</summary>
    public required Predicate<object> IsSplit { get; init; }

    public ulong Alignment => !HugePages || Domains.Count != 0 || Accesses.Any(static access => access.PinsPages) ? Page : 1;

    public Errno SetHugePages(bool value)
    {
        Errno errno = value || !HugePages ? Errno.None
            : Domains.Count != 0 && Areas.Count != 0 ? Errno.EINVAL
            : RequireAligned();
        HugePages = errno == Errno.None ? value : HugePages;
        return errno;
    }

    public Errno RequireAligned() => Areas.TrueForAll(static area => area.IsAligned(Page)) ? Errno.None : Errno.EADDRINUSE;

    public Errno Allow(List<IovaRange> ranges)
    {
        ranges.Sort(static (one, other) => one.First.CompareTo(other.First));
        for (int i = 0; i < ranges.Count; i++)
        {
            if (ranges[i].First >= ranges[i].Last || (i > 0 && ranges[i - 1].Last >= ranges[i].First))
            {
                return Errno.EINVAL;
            }

            if (Reserved.Exists(reserved => reserved.Range.Overlaps(ranges[i])))
            {
                return Errno.EADDRINUSE;
            }
        }

        Allowed = ranges;
        return Errno.None;
    }

    public Errno Reserve(object owner, IovaRange range)
    {
        if (Areas.Exists(area => area.Overlaps(range)) || Allowed.Exists(range.Overlaps))
        {
            return Errno.EADDRINUSE;
        }

        Reserved.Add((owner, range));
        return Errno.None;
    }

    public void Unreserve(object owner) => Reserved.RemoveAll(reserved => reserved.Owner == owner);

    /// <summary>A domain needs whole pages within its tables' reach, and the first one pins all that is mapped.</summary>
    public Errno AddDomain(object domain, ulong last)
    {
        if (RequireAligned() != Errno.None || Reserve(domain, new(last + 1, ulong.MaxValue)) != Errno.None)
        {
            return Errno.EADDRINUSE;
        }

        List<AreaModel> areas = [.. Areas.OrderBy(static area => area.Iova)];
        for (int i = 0; Domains.Count == 0 && i < areas.Count; i++)
        {
            Errno errno = areas[i].Pages.Pin(areas[i].Start, areas[i].Length);
            if (errno != Errno.None)
            {
                areas[..i].ForEach(static area => area.Pages.Unpin(area.Start, area.Length));
                Unreserve(domain);
                return errno;
            }
        }

        Domains.Add(domain);
        Areas.ForEach(area => area.Write(domain, small: !HugePages));
        return Errno.None;
    }

    public void RemoveDomain(object domain)
    {
        Domains.Remove(domain);
        Unreserve(domain);
        if (Domains.Count == 0)
        {
            Areas.ForEach(static area => area.Pages.Unpin(area.Start, area.Length));
        }
    }

    /// <summary>The complement of what is reserved.</summary>
    public List<IovaRange> Ranges()
    {
        var ranges = new List<IovaRange>();
        ulong first = 0;
        foreach ((_, IovaRange reserved) in Reserved.OrderBy(static reserved => reserved.Range.First))
        {
            if (reserved.First > first)
            {
                ranges.Add(new(first, reserved.First - 1));
            }

            if (reserved.Last == ulong.MaxValue)
            {
                return ranges;
            }

            first = Math.Max(first, reserved.Last + 1);
        }

        ranges.Add(new(first, ulong.MaxValue));
        return ranges;
    }

    /// <summary>Maps pieces one after the other, all or none.</summary>
    public Errno Map(bool isFixed, Access rights, List<(PagesModel Pages, ulong Start, ulong Length)> pieces, ulong length, ref ulong iova)
    {
        if (length == 0 || length % Alignment != 0)
        {
            return Errno.EINVAL;
        }

        Errno errno = isFixed ? Place(iova, length) : Find(pieces[0].Pages.First * Page + pieces[0].Start, length, out iova);
        if (errno != Errno.None)
        {
            return errno;
        }

        if (pieces.Exists(piece => (piece.Start | piece.Length) % Alignment != 0))
        {
            return Errno.EINVAL;
        }

        if (rights.HasFlag(Access.Write) && pieces.Exists(static piece => !piece.Pages.Writable))
        {
            return Errno.EPERM;
        }

        for (int i = 0; Domains.Count != 0 && i < pieces.Count; i++)
        {
            errno = pieces[i].Pages.Pin(pieces[i].Start, pieces[i].Length);
            if (errno != Errno.None)
            {
                pieces[..i].ForEach(static piece => piece.Pages.Unpin(piece.Start, piece.Length));
                return errno;
            }
        }

        ulong at = iova;
        foreach ((PagesModel pages, ulong start, ulong part) in pieces)
        {
            var area = new AreaModel(at, part, pages, start, rights);
            Domains.ForEach(domain => area.Write(domain, small: !HugePages || IsSplit(domain)));
            Areas.Add(area);
            at += part;
        }

        return Errno.None;
    }

    /// <summary>The parts of a range, or ENOENT at its first hole; the parts before the hole are there then.</summary>
    public Errno Parts(ulong iova, ulong length, out List<(AreaModel Area, ulong First, ulong Last)> parts)
    {
        parts = [];
        if (length == 0)
        {
            return Errno.EINVAL;
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            return Errno.EOVERFLOW;
        }

        ulong last = iova + (length - 1);
        for (ulong at = iova; ; at = parts[^1].Last + 1)
        {
            if (Areas.Find(area => area.Overlaps(new(at, at))) is not { } area)
            {
                return Errno.ENOENT;
            }

            parts.Add((area, at, Math.Min(last, area.Last)));
            if (area.Last >= last)
            {
                return Errno.None;
            }
        }
    }

    public Errno Unmap(ulong iova, ulong length, out ulong removed)
    {
        removed = 0;
        bool all = iova == 0 && length == ulong.MaxValue;
        if (!all && (length == 0 || iova == ulong.MaxValue || length == ulong.MaxValue || length - 1 > ulong.MaxValue - iova))
        {
            return length == 0 && iova != ulong.MaxValue ? Errno.EINVAL : Errno.EOVERFLOW;
        }

        var range = new IovaRange(iova, all ? ulong.MaxValue : iova + (length - 1));
        foreach (AreaModel area in Areas.Where(area => area.Overlaps(range)).OrderBy(static area => area.Iova).ToList())
        {
            if (area.Iova < range.First || area.Last > range.Last)
            {
                return Errno.ENOENT;
            }

            if (Accesses.Exists(access => access.Locks && access.Pins.Exists(area.Overlaps)))
            {
                return Errno.EBUSY;
            }

            Accesses.Where(static access => access.LetsGo).ToList().ForEach(access => Unpin(access, area.Overlaps));
            if (Accesses.Exists(access => access.Pins.Exists(area.Overlaps)))
            {
                return Errno.EDEADLOCK;
            }

            Areas.Remove(area);
            removed += area.Length;
            if (Domains.Count != 0)
            {
                area.Pages.Unpin(area.Start, area.Length);
            }
        }

        return removed != 0 || all ? Errno.None : Errno.ENOENT;
    }

    public Errno Pin(AccessModel access, ulong iova, ulong length, Access need, out List<ulong> pages)
    {
        pages = [];
        Errno hole = Parts(iova, length, out List<(AreaModel Area, ulong First, ulong Last)> parts);
        if (parts.Exists(part => (need & ~part.Area.Rights) != 0))
        {
            return Errno.EPERM;
        }

        for (int i = 0; hole == Errno.None && i < parts.Count; i++)
        {
            (AreaModel area, ulong first, ulong last) = parts[i];
            hole = area.Pages.Pin(area.Start + (first - area.Iova), last - first + 1);
            if (hole != Errno.None)
            {
                Unpin(parts[..i]);
            }
        }

        if (hole != Errno.None)
        {
            return hole;
        }

        access.Pins.Add(new(iova, iova + (length - 1)));
        foreach ((AreaModel area, ulong first, ulong last) in parts)
        {
            for (ulong at = (area.Start + (first - area.Iova)) / Page; at <= (area.Start + (last - area.Iova)) / Page; at++)
            {
                Xunit.Assert.Equal(Errno.None, area.Pages.Locate(at * Page, out ulong physical));
                pages.Add(physical);
            }
        }

        return Errno.None;
    }

    public void Unpin(AccessModel access, Predicate<IovaRange> which)
    {
        foreach (IovaRange pin in access.Pins.FindAll(which))
        {
            Parts(pin.First, pin.Last - pin.First + 1, out List<(AreaModel Area, ulong First, ulong Last)> parts);
            Unpin(parts);
            access.Pins.Remove(pin);
        }
    }

    public void Join(AccessModel access)
    {
        access.Ioas = this;
        Accesses.Add(access);
    }

    public void Leave(AccessModel access)
    {
        Unpin(access, static _ => true);
        access.Ioas = null;
        Accesses.Remove(access);
    }

    private static void Unpin(List<(AreaModel Area, ulong First, ulong Last)> parts) =>
        parts.ForEach(static part => part.Area.Pages.Unpin(part.Area.Start + (part.First - part.Area.Iova), part.Last - part.First + 1));

    private Errno Place(ulong iova, ulong length)
    {
        if (iova % Alignment != 0)
        {
            return Errno.EINVAL;
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            return Errno.EOVERFLOW;
        }

        var range = new IovaRange(iova, iova + (length - 1));
        return Reserved.Exists(reserved => reserved.Range.Overlaps(range)) ? Errno.EINVAL
            : Areas.Exists(area => area.Overlaps(range)) ? Errno.EEXIST
            : Errno.None;
    }

    /// <summary>The lowest place, found by trying one after the other and leaping over what is in the way.</summary>
    private Errno Find(ulong address, ulong length, out ulong iova)
    {
        iova = 0;
        if (length > 1UL << 63)
        {
            return Errno.EOVERFLOW;
        }

        ulong step = LargestStep;
        while (step > Page && (step / 2 >= length || address % step != 0))
        {
            step /= 2;
        }

        if (address % Alignment != 0)
        {
            return Errno.EINVAL;
        }

        List<IovaRange> places = Allowed.Count != 0 ? Allowed : [new(Page, ulong.MaxValue - Page)];
        foreach (IovaRange place in places)
        {
            UInt128 at = Math.Max(place.First, Page);
            while (true)
            {
                while (at % step != address % Page)
                {
                    at += at % Page == address % Page ? Page : (address - (ulong)at) % Page;
                }

                if (at + length - 1 > place.Last)
                {
                    break;
                }

                var range = new IovaRange((ulong)at, (ulong)(at + length - 1));
                IEnumerable<ulong> inTheWay =
                    [.. Reserved.Where(reserved => reserved.Range.Overlaps(range)).Select(static reserved => reserved.Range.Last),
                     .. Areas.Where(area => area.Overlaps(range)).Select(static area => area.Last)];
                if (!inTheWay.Any())
                {
                    iova = (ulong)at;
                    return Errno.None;
                }

                at = (UInt128)inTheWay.Max() + 1;
            }
        }

        return Errno.ENOSPC;
    }
}
