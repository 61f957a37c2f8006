using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <content>What accesses do to an IOAS.</content>
public sealed partial class Ioas
{
    internal void AddAccess(IoasAccess access)
    {
        lock (Gate)
        {
            if (access.PinsPages)
            {
                RequireAligned(PageSource.PageSize);
            }

            _accesses.Add(access);
            FindAlignment();
        }
    }

    internal void RemoveAccess(IoasAccess access)
    {
        lock (Gate)
        {
            _accesses.Remove(access);
            FindAlignment();
        }
    }

    /// <summary>Pins the pages of a range for an access and says where they are, one address for each page touched.</summary>
    internal void Pin(IoasAccess access, ulong iova, ulong length, Span<ulong> physical, Access need)
    {
        lock (Gate)
        {
            if (!_accesses.Contains(access))
            {
                throw new IommufdException(Errno.ENOENT, "iova", iova, "the access is not attached");
            }

            var parts = new List<(IoasArea Area, ulong First, ulong Last)>();
            ForEachPart(iova, length, (area, first, last) =>
            {
                CheckAccess(area, first, need);
                if (first != iova && ((area.At(first) | first) & (PageSource.PageSize - 1)) != 0)
                {
                    throw new IommufdException(Errno.EINVAL, "iova", first, "a mapping in the range begins within a page");
                }

                parts.Add((area, first, last));
            });
            int pinned = 0;
            try
            {
                for (; pinned < parts.Count; pinned++)
                {
                    (IoasArea area, ulong first, ulong last) = parts[pinned];
                    area.Pages.Pin(area.At(first), area.At(last));
                }
            }
            catch (IommufdException)
            {
                while (pinned-- > 0)
                {
                    (IoasArea area, ulong first, ulong last) = parts[pinned];
                    area.Pages.Unpin(area.At(first), area.At(last));
                }

                throw;
            }

            int page = 0;
            foreach ((IoasArea area, ulong first, ulong last) in parts)
            {
                area.AccessPins++;
                area.Locks += access.LocksAreas ? 1 : 0;
                ulong end = area.At(last);
                for (ulong at = area.At(first) & ~(PageSource.PageSize - 1); at <= end; page++)
                {
                    physical[page] = area.Pages.Locate(at, PageSource.PageSize, out _);
                    at += PageSource.PageSize;
                }
            }
        }
    }

    /// <summary>Takes a pin of <see cref="Pin"/> back.</summary>
    internal void Unpin(IoasAccess access, ulong iova, ulong length)
    {
        lock (Gate)
        {
            ForEachPart(iova, length, (area, first, last) =>
            {
                area.AccessPins--;
                area.Locks -= access.LocksAreas ? 1 : 0;
                area.Pages.Unpin(area.At(first), area.At(last));
            });
        }
    }

    /// <summary>Copies bytes out of the mapped memory.</summary>
    internal void Read(IoasAccess access, ulong iova, Span<byte> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            lock (Gate)
            {
                ulong physical = Reach(access, iova, done, destination.Length, Access.Read, out int run);
                CheckMemory(Context.Memory.Read(physical, destination.Slice(done, run), out _), iova);
                done += run;
            }
        }
    }

    /// <summary>Copies bytes into the mapped memory.</summary>
    internal void Write(IoasAccess access, ulong iova, ReadOnlySpan<byte> source)
    {
        for (int done = 0; done < source.Length;)
        {
            lock (Gate)
            {
                ulong physical = Reach(access, iova, done, source.Length, Access.Write, out int run);
                CheckMemory(Context.Memory.Write(physical, source.Slice(done, run), out _), iova);
                done += run;
            }
        }
    }

    private static void CheckAccess(IoasArea area, ulong iova, Access need)
    {
        if (area.RefusesAccess)
        {
            throw new IommufdException(Errno.EINVAL, "iova", iova, "the mapping is being unmapped");
        }

        if ((need & ~area.Rights) != 0)
        {
            throw new IommufdException(Errno.EPERM, "iova", iova, $"the mapping permits {area.Rights}, not {need}");
        }
    }

    private static void CheckMemory(MemoryStatus status, ulong iova)
    {
        if (status != MemoryStatus.Ok)
        {
            throw new IommufdException(Errno.EFAULT, "iova", iova, $"the memory behind it is gone: {status}");
        }
    }

    private ulong Reach(IoasAccess access, ulong iova, int done, int length, Access need, out int run)
    {
        ulong at = iova + (ulong)done;
        if (!_accesses.Contains(access) || !TryArea(at, out IoasArea? area))
        {
            throw new IommufdException(Errno.ENOENT, "iova", at, "the access is not attached, or nothing is mapped there");
        }

        CheckAccess(area, at, need);
        ulong limit = Math.Min((ulong)(length - done), area.Last - at + 1);
        ulong physical = area.Pages.Locate(area.At(at), limit, out ulong found);
        run = (int)found;
        return physical;
    }

    /// <summary>Visits the parts of a range, which must be mapped without a hole.</summary>
    private void ForEachPart(ulong iova, ulong length, Action<IoasArea, ulong, ulong> visit)
    {
        if (length == 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, "must not be zero");
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, $"from 0x{iova:x} on must end within 64 bits");
        }

        if (VisitMapped(iova, iova + (length - 1), visit) is { } hole)
        {
            throw new IommufdException(Errno.ENOENT, "iova", hole, "nothing is mapped there");
        }
    }

    /// <summary>Visits the parts of a range up to the first address where nothing is mapped, which is returned. Under the lock.</summary>
    internal ulong? VisitMapped(ulong iova, ulong last, Action<IoasArea, ulong, ulong> visit)
    {
        ulong at = iova;
        while (TryArea(at, out IoasArea? area))
        {
            ulong end = Math.Min(last, area.Last);
            visit(area, at, end);
            if (end == last)
            {
                return null;
            }

            at = end + 1;
        }

        return at;
    }
}
