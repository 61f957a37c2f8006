using System.Numerics;

namespace FastNest.Iommufd;

/// <content>Which IOVAs may be used, and the choice of one.</content>
public sealed partial class Ioas
{
    private const ulong LargestStep = 2 << 20;

    private readonly List<(object Owner, IovaRange Range)> _reservations = [];
    private readonly Search[] _searches = new Search[64];
    private IovaRange[] _reserved = [];
    private IovaRange[] _allowed = [];

    /// <summary>The ranges that are not reserved, ascending (IOAS_IOVA_RANGES).</summary>
    /// <param name="destination">Gets as many as fit.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="alignment"><see cref="Alignment"/> at the same moment.</param>
    /// <returns>EMSGSIZE when the destination is too short, else none.</returns>
    public Errno GetIovaRanges(Span<IovaRange> destination, out int count, out ulong alignment)
    {
        using ObjectUse use = Use();
        lock (Gate)
        {
            count = 0;
            alignment = Alignment;
            ulong first = 0;
            bool open = true;
            foreach (IovaRange reserved in _reserved)
            {
                if (reserved.First > first)
                {
                    Put(destination, ref count, new(first, reserved.First - 1));
                }

                open = reserved.Last != ulong.MaxValue;
                first = reserved.Last + 1;
            }

            if (open)
            {
                Put(destination, ref count, new(first, ulong.MaxValue));
            }

            return count > destination.Length ? Errno.EMSGSIZE : Errno.None;
        }
    }

    /// <summary>Bounds the IOVAs that are chosen automatically, and keeps them from being reserved (IOAS_ALLOW_IOVAS).</summary>
    /// <param name="ranges">The new list, each range of two bytes at least; empty allows everything.</param>
    /// <exception cref="IommufdException">EINVAL: a range is too short or overlaps another. EADDRINUSE: it is reserved. Nothing is changed.</exception>
    public void AllowIovas(ReadOnlySpan<IovaRange> ranges)
    {
        using ObjectUse use = Use();
        IovaRange[] sorted = ranges.ToArray();
        Array.Sort(sorted, static (one, other) => one.First.CompareTo(other.First));
        lock (Gate)
        {
            for (int i = 0; i < sorted.Length; i++)
            {
                if (sorted[i].First >= sorted[i].Last || (i > 0 && sorted[i - 1].Last >= sorted[i].First))
                {
                    throw new IommufdException(
                        Errno.EINVAL, "allowed_iovas", sorted[i].First, $"must be below last 0x{sorted[i].Last:x} and overlap no other");
                }

                if (IsReserved(sorted[i], out IovaRange reserved))
                {
                    throw new IommufdException(
                        Errno.EADDRINUSE, "allowed_iovas", sorted[i].First, $"0x{reserved.First:x} to 0x{reserved.Last:x} is reserved");
                }
            }

            _allowed = sorted;
            Array.Clear(_searches);
        }
    }

    /// <summary>Keeps a range from being mapped for as long as its owner (a device, a domain) needs it.</summary>
    /// <exception cref="IommufdException">EADDRINUSE: it is mapped or allowed.</exception>
    internal void Reserve(object owner, IovaRange range)
    {
        lock (Gate)
        {
            if (IsMapped(range, out IoasArea? area))
            {
                throw new IommufdException(Errno.EADDRINUSE, "iova", range.First, $"0x{area!.Iova:x} to 0x{area.Last:x} is mapped");
            }

            if (Array.Find(_allowed, range.Overlaps) is { Last: > 0 } allowed)
            {
                throw new IommufdException(Errno.EADDRINUSE, "iova", range.First, $"0x{allowed.First:x} to 0x{allowed.Last:x} is allowed");
            }

            _reservations.Add((owner, range));
            MergeReserved();
        }
    }

    /// <summary>Takes back all reservations of an owner.</summary>
    internal void Unreserve(object owner)
    {
        lock (Gate)
        {
            _reservations.RemoveAll(reservation => reservation.Owner.Equals(owner));
            MergeReserved();
        }
    }

    private static void Put(Span<IovaRange> destination, ref int count, IovaRange range)
    {
        if (count < destination.Length)
        {
            destination[count] = range;
        }

        count++;
    }

    private void MergeReserved()
    {
        var merged = new List<IovaRange>();
        foreach (IovaRange range in _reservations.Select(static reservation => reservation.Range).OrderBy(static range => range.First))
        {
            if (merged.Count != 0 && (merged[^1].Last == ulong.MaxValue || range.First <= merged[^1].Last + 1))
            {
                merged[^1] = merged[^1] with { Last = Math.Max(merged[^1].Last, range.Last) };
            }
            else
            {
                merged.Add(range);
            }
        }

        _reserved = [.. merged];
        Array.Clear(_searches);
    }

    private bool IsReserved(IovaRange range, out IovaRange reserved)
    {
        int low = 0;
        int high = _reserved.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = _reserved[middle].Last < range.First ? (middle + 1, high) : (low, middle);
        }

        reserved = low < _reserved.Length ? _reserved[low] : default;
        return low < _reserved.Length && reserved.First <= range.Last;
    }

    /// <summary>
    /// The lowest hole for a length: aligned as the memory is, up to the size of a huge page, with the same offset in a page,
    /// and never page 0.
    /// </summary>
    private ulong FindHole(ulong address, ulong length)
    {
        if (length > 1UL << 63)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, "half of the address space is the most");
        }

        ulong natural = BitOperations.RoundUpToPowerOf2(length);
        ulong aligned = address == 0 ? natural : Math.Min(natural, address & (~address + 1));
        if (aligned < Alignment)
        {
            throw new IommufdException(Errno.EINVAL, "user_va", address, $"must be a multiple of {Alignment}");
        }

        ulong step = Math.Clamp(aligned, PageSource.PageSize, LargestStep);
        ulong offset = address % PageSource.PageSize;
        if (_allowed.Length != 0)
        {
            foreach (IovaRange allowed in _allowed)
            {
                if (TryFindHole(Math.Max(allowed.First, PageSource.PageSize), allowed.Last, length, step, offset, out ulong found))
                {
                    return found;
                }
            }
        }
        else if (TryFindHoleAnywhere(length, step, offset, out ulong found))
        {
            return found;
        }

        throw new IommufdException(Errno.ENOSPC, "length", length, $"no hole is large enough at a multiple of {step}");
    }

    /// <summary>As many maps of the same kind follow each other, each goes on where the last one ended.</summary>
    private bool TryFindHoleAnywhere(ulong length, ulong step, ulong offset, out ulong found)
    {
        ref Search search = ref _searches[BitOperations.Log2(length)];
        bool known = offset == 0 && search.Before != 0 && length >= search.Length && step >= search.Step;
        ulong first = known ? search.Before : PageSource.PageSize;
        if (!TryFindHole(first, ulong.MaxValue - PageSource.PageSize, length, step, offset, out found))
        {
            return false;
        }

        if (offset == 0)
        {
            search = new(found, length, step);
        }

        return true;
    }

    private bool TryFindHole(ulong first, ulong last, ulong length, ulong step, ulong offset, out ulong found)
    {
        while (true)
        {
            ulong ahead = (offset - first) & (step - 1);
            found = first + ahead;
            if (found < first || found > last || length - 1 > last - found)
            {
                return false;
            }

            var range = new IovaRange(found, found + (length - 1));
            ulong blocked = IsReserved(range, out IovaRange reserved) ? reserved.Last
                : IsMapped(range, out IoasArea? area) ? area!.Last
                : 0;
            if (blocked == 0)
            {
                return true;
            }

            if (blocked == ulong.MaxValue)
            {
                return false;
            }

            first = blocked + 1;
        }
    }

    /// <summary>A mapping is gone: searches must look at its hole again.</summary>
    private void Freed(ulong iova)
    {
        ulong hole = _areas.TryFloor(iova, out IoasArea? below) ? below.Last + 1 : PageSource.PageSize;
        foreach (ref Search search in _searches.AsSpan())
        {
            search = search with { Before = Math.Min(search.Before, hole) };
        }
    }

    /// <summary>Below an address there is no hole for this length, or more, at multiples of this step, or of a greater one.</summary>
    private readonly record struct Search(ulong Before, ulong Length, ulong Step);
}
