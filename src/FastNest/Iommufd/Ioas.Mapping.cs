using FastNest.Requests;

namespace FastNest.Iommufd;

/// <content>IOAS_MAP, IOAS_MAP_FILE, IOAS_COPY and IOAS_UNMAP.</content>
public sealed partial class Ioas
{
    private const int UnmapRounds = 100;
    private const IoasMapOptions KnownFlags = IoasMapOptions.FixedIova | IoasMapOptions.Writeable | IoasMapOptions.Readable;

    /// <summary>Maps memory of a process. It is pinned at once when a domain exists, and else when one first needs it.</summary>
    /// <param name="flags">What devices may do, and whether <paramref name="iova"/> is given.</param>
    /// <param name="userAddress">The first address in the process; a multiple of <see cref="Alignment"/>.</param>
    /// <param name="length">Bytes, a multiple of <see cref="Alignment"/>, not zero.</param>
    /// <param name="iova">With FIXED_IOVA the first IOVA, a multiple of <see cref="Alignment"/>.</param>
    /// <param name="process">The process, when it is another than the context's.</param>
    /// <returns>The first IOVA.</returns>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP, EOVERFLOW, EINVAL: a value is wrong. EEXIST: something is mapped there. ENOSPC: no hole is large enough.
    /// EFAULT: no memory is there. ENOMEM: a limit is reached. Nothing is changed.
    /// </exception>
    public ulong Map(IoasMapOptions flags, ulong userAddress, ulong length, ulong iova = 0, UserAddressSpace? process = null)
    {
        CheckFlags(flags, iova, length);
        using ObjectUse use = Use();
        if (length > ulong.MaxValue - userAddress)
        {
            throw new IommufdException(Errno.EOVERFLOW, "user_va", userAddress, $"0x{length:x} bytes must end within 64 bits");
        }

        UserAddressSpace charged = process ?? Context.Process;
        return MapSource(flags, charged.Source, userAddress, length, iova, charged);
    }

    /// <summary>Maps a part of a memory file; see <see cref="Map"/>.</summary>
    /// <param name="flags">What devices may do, and whether <paramref name="iova"/> is given.</param>
    /// <param name="file">The file, open.</param>
    /// <param name="start">The first byte in the file, a multiple of <see cref="Alignment"/>.</param>
    /// <param name="length">Bytes, a multiple of <see cref="Alignment"/>, not zero.</param>
    /// <param name="iova">With FIXED_IOVA the first IOVA.</param>
    /// <returns>The first IOVA.</returns>
    /// <exception cref="IommufdException">As <see cref="Map"/>; EBADF: the file is closed; EINVAL: the range passes its end.</exception>
    public ulong MapFile(IoasMapOptions flags, MemoryFile file, ulong start, ulong length, ulong iova = 0)
    {
        ArgumentNullException.ThrowIfNull(file);
        CheckFlags(flags, iova, length);
        using ObjectUse use = Use();
        if (file.IsClosed)
        {
            throw new IommufdException(Errno.EBADF, "fd", 0, "the file is closed");
        }

        if (length > ulong.MaxValue - start)
        {
            throw new IommufdException(Errno.EOVERFLOW, "start", start, $"0x{length:x} bytes must end within 64 bits");
        }

        if (length == 0 || start + length > file.Length)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"must not be zero; the file ends at 0x{file.Length:x}");
        }

        return MapSource(flags, file.Source, start, length, iova, Context.Process);
    }

    /// <summary>Maps what another IOAS, or this one, maps already; the pages are shared and pinned once.</summary>
    /// <param name="flags">What devices may do, and whether <paramref name="iova"/> is given.</param>
    /// <param name="source">Where the memory is mapped.</param>
    /// <param name="sourceIova">Its first IOVA there.</param>
    /// <param name="length">Bytes, not zero, all of them mapped there.</param>
    /// <param name="iova">With FIXED_IOVA the first IOVA here.</param>
    /// <returns>The first IOVA here.</returns>
    /// <exception cref="IommufdException">As <see cref="Map"/>; ENOENT: a hole is in the source; EPERM: it may not be written.</exception>
    public ulong Copy(IoasMapOptions flags, Ioas source, ulong sourceIova, ulong length, ulong iova = 0)
    {
        ArgumentNullException.ThrowIfNull(source);
        CheckFlags(flags, iova, length);
        using ObjectUse use = Use();
        using ObjectUse other = source.Use();
        var pieces = new List<MappedPiece>();
        var kept = new List<MappedPiece>();
        try
        {
            lock (source.Gate)
            {
                source.ForEachPart(sourceIova, length, (area, first, last) =>
                {
                    pieces.Add(new(area.Pages, area.At(first), last - first + 1));
                    if (area.Holds != 0)
                    {
                        // Pinned again, which cannot fail: so they stay the same pages if the source is unmapped meanwhile.
                        pieces[^1].Pages.Pin(area.At(first), area.At(last));
                        kept.Add(pieces[^1]);
                    }
                });
            }

            return Insert(flags, pieces, length, iova);
        }
        finally
        {
            kept.ForEach(static piece => piece.Pages.Unpin(piece.Start, piece.Start + (piece.Length - 1)));
        }
    }

    /// <summary>Unmaps every mapping in a range, which must not cut one. (0, 2^64 - 1) is everything, and may be nothing.</summary>
    /// <param name="iova">The first IOVA.</param>
    /// <param name="length">Bytes, not zero.</param>
    /// <returns>How many bytes were mapped.</returns>
    /// <exception cref="IommufdException">
    /// EINVAL, EOVERFLOW: a value is wrong. ENOENT: nothing is mapped, or a mapping is cut. EBUSY: a mapping is being made, or
    /// a hardware queue uses it. EDEADLOCK: an access does not let go. Mappings below the one at fault are gone.
    /// </exception>
    public ulong Unmap(ulong iova, ulong length)
    {
        using ObjectUse use = Use();
        if (iova == 0 && length == ulong.MaxValue)
        {
            return UnmapAll(IovaRange.All);
        }

        if (iova == ulong.MaxValue || length == ulong.MaxValue)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, $"iova 0x{iova:x} and length must be below 2^64 - 1");
        }

        ulong removed = UnmapAll(RangeOf(iova, length));
        return removed != 0 ? removed : throw new IommufdException(Errno.ENOENT, "iova", iova, $"nothing is mapped in 0x{length:x} bytes");
    }

    /// <summary>As <see cref="Unmap"/> where there may be nothing; without huge pages, mappings are cut at the range's ends.</summary>
    internal ulong UnmapSome(ulong iova, ulong length)
    {
        using ObjectUse use = Use();
        IovaRange range = RangeOf(iova, length);
        lock (Gate)
        {
            if (!_hugePages)
            {
                Cut(range.Last);
                if (iova != 0)
                {
                    Cut(iova - 1);
                }
            }
        }

        return UnmapAll(range);
    }

    private static IovaRange RangeOf(ulong iova, ulong length)
    {
        if (length == 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, "must not be zero");
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, $"from 0x{iova:x} on must end within 64 bits");
        }

        return new(iova, iova + (length - 1));
    }

    /// <summary>Makes two mappings of one that goes on behind an address, if there is one. Under the lock, without huge pages.</summary>
    private void Cut(ulong last)
    {
        if (!IsMapped(new(last, last), out IoasArea? area) || area!.Last == last)
        {
            return;
        }

        if (area.IsPlaceholder || area.RefusesAccess)
        {
            throw new IommufdException(Errno.EBUSY, "iova", area.Iova, "the mapping there is being made or unmapped");
        }

        if (area.AccessPins != 0 || area.Locks != 0 || (last + 1) % Alignment != 0)
        {
            throw new IommufdException(
                Errno.EINVAL,
                "iova",
                last + 1,
                $"must be a multiple of {Alignment}, in a mapping without pins ({area.AccessPins}) and queues ({area.Locks}), to be cut at");
        }

        _areas.Remove(area.Iova);
        foreach (IoasArea part in (IoasArea[])
        [
            new(area.Iova, last - area.Iova + 1, area.Pages, area.Start, area.Rights),
            new(last + 1, area.Last - last, area.Pages, area.At(last + 1), area.Rights),
        ])
        {
            part.IsPlaceholder = false;
            part.Holds = area.Holds;
            _areas.Add(part.Iova, part);
        }
    }

    /// <summary>Maps pages of any source; the caller has checked the flags and that the range does not wrap.</summary>
    internal ulong MapSource(IoasMapOptions flags, PageSource source, ulong start, ulong length, ulong iova, UserAddressSpace charged)
    {
        var pages = new MappedPages(source, start, (flags & IoasMapOptions.Writeable) != 0, charged);
        return Insert(flags, [new(pages, start % PageSource.PageSize, length)], length, iova);
    }

    internal IEnumerable<MappedPages> MappedPages() => Areas().Select(static area => area.Pages);

    internal static void CheckFlags(IoasMapOptions flags, ulong iova, ulong length)
    {
        if ((flags & ~KnownFlags) != 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", (ulong)flags, $"only 0x{(uint)KnownFlags:x} are known");
        }

        if (iova == ulong.MaxValue || length == ulong.MaxValue)
        {
            throw new IommufdException(Errno.EOVERFLOW, "length", length, $"iova 0x{iova:x} and length must be below 2^64 - 1");
        }

        if (Rights(flags) == Access.None)
        {
            throw new IommufdException(Errno.EINVAL, "flags", (ulong)flags, "READABLE or WRITEABLE must be set");
        }
    }

    private ulong UnmapAll(IovaRange range)
    {
        ulong removed = 0;
        for (int round = 0; ;)
        {
            IoasArea? area;
            IoasAccess[] accesses;
            lock (Gate)
            {
                if (!IsMapped(new(range.First, range.First), out area))
                {
                    if (!_areas.TryCeiling(range.First, out area) || area.Iova > range.Last)
                    {
                        return removed;
                    }
                }

                if (area!.Iova < range.First || area.Last > range.Last)
                {
                    throw new IommufdException(
                        Errno.ENOENT, "iova", range.First, $"the mapping 0x{area.Iova:x} to 0x{area.Last:x} would be cut");
                }

                if (area.IsPlaceholder)
                {
                    throw new IommufdException(Errno.EBUSY, "iova", area.Iova, "the mapping there is being made");
                }

                if (area.Locks != 0)
                {
                    throw new IommufdException(Errno.EBUSY, "iova", area.Iova, $"{area.Locks} hardware queues use the mapping");
                }

                if (area.AccessPins == 0)
                {
                    RemoveArea(area);
                    removed += area.Length;
                    round = 0;
                    continue;
                }

                area.RefusesAccess = ++round <= UnmapRounds;
                if (!area.RefusesAccess)
                {
                    throw new IommufdException(
                        Errno.EDEADLOCK, "iova", area.Iova, $"{area.AccessPins} pins are left after {UnmapRounds} notifications");
                }

                accesses = [.. _accesses];
            }

            Notify(accesses, area);
        }
    }

    /// <summary>Asks accesses to let go of a mapping, which takes no new pins meanwhile; it does again if a callback fails.</summary>
    private void Notify(IoasAccess[] accesses, IoasArea area)
    {
        try
        {
            foreach (IoasAccess access in accesses)
            {
                access.Notify(this, area.Range);
            }
        }
        catch
        {
            lock (Gate)
            {
                area.RefusesAccess = false;
            }

            throw;
        }
    }
}
