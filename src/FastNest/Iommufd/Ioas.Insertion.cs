namespace FastNest.Iommufd;

/// <content>How a mapping comes to be: placed, pinned, published (digest of io_pagetable.c, section 10).</content>
public sealed partial class Ioas
{
    /// <summary>
    /// Maps pieces one after the other, all or none. Their addresses are taken first, by placeholders; then pages are pinned,
    /// without the lock, as that may take long; then devices get to see them all at once.
    /// </summary>
    private ulong Insert(IoasMapOptions flags, List<MappedPiece> pieces, ulong length, ulong iova)
    {
        List<IoasArea> areas;
        bool pins;
        lock (Gate)
        {
            areas = Place(flags, pieces, length, iova);
            pins = _domains.Count != 0;
        }

        int held = 0;
        try
        {
            for (; pins && held < areas.Count; held++)
            {
                Hold(areas[held]);
            }
        }
        catch
        {
            lock (Gate)
            {
                GiveUp(areas, held);
            }

            throw;
        }

        lock (Gate)
        {
            try
            {
                Publish(areas);
            }
            catch
            {
                GiveUp(areas, held);
                throw;
            }

            LetGo(areas, held);
        }

        return areas[0].Iova;
    }

    /// <summary>Takes the addresses of a mapping, which only its own call may touch as yet.</summary>
    private List<IoasArea> Place(IoasMapOptions flags, List<MappedPiece> pieces, ulong length, ulong iova)
    {
        if (length == 0 || length % Alignment != 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"must be a multiple of {Alignment} and not zero");
        }

        if ((flags & IoasMapOptions.FixedIova) != 0)
        {
            CheckFixed(iova, length);
        }
        else
        {
            iova = FindHole(pieces[0].Pages.AddressOf(pieces[0].Start), length);
        }

        if (pieces.Find(piece => (piece.Start | piece.Length) % Alignment != 0) is { Length: > 0 } misaligned)
        {
            throw new IommufdException(
                Errno.EINVAL, "user_va", misaligned.Pages.AddressOf(misaligned.Start), $"must be a multiple of {Alignment}");
        }

        if ((flags & IoasMapOptions.Writeable) != 0 && pieces.Exists(static piece => !piece.Pages.Writable))
        {
            throw new IommufdException(Errno.EPERM, "src_iova", iova, "the memory was mapped without WRITEABLE");
        }

        var areas = new List<IoasArea>(pieces.Count);
        foreach (MappedPiece piece in pieces)
        {
            areas.Add(new(iova, piece.Length, piece.Pages, piece.Start, Rights(flags)));
            _areas.Add(iova, areas[^1]);
            iova += piece.Length;
        }

        return areas;
    }

    private void CheckFixed(ulong iova, ulong length)
    {
        if (iova % Alignment != 0)
        {
            throw new IommufdException(Errno.EINVAL, "iova", iova, $"must be a multiple of {Alignment}");
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "iova", iova, $"0x{length:x} bytes must end within 64 bits");
        }

        var range = new IovaRange(iova, iova + (length - 1));
        if (IsReserved(range, out IovaRange reserved))
        {
            throw new IommufdException(Errno.EINVAL, "iova", iova, $"0x{reserved.First:x} to 0x{reserved.Last:x} is reserved");
        }

        if (IsMapped(range, out IoasArea? area))
        {
            throw new IommufdException(Errno.EEXIST, "iova", iova, $"0x{area!.Iova:x} to 0x{area.Last:x} is mapped");
        }
    }

    /// <summary>Writes areas into the tables of all domains, or of none, and opens them to other calls.</summary>
    private void Publish(List<IoasArea> areas)
    {
        int filled = 0;
        try
        {
            for (; filled < areas.Count; filled++)
            {
                FillDomains(areas[filled]);
            }
        }
        catch
        {
            while (filled-- > 0)
            {
                ClearDomains(areas[filled], _domains.Count);
            }

            throw;
        }

        areas.ForEach(static area => area.IsPlaceholder = false);
    }

    private void FillDomains(IoasArea area)
    {
        int filled = 0;
        try
        {
            for (; filled < _domains.Count; filled++)
            {
                Hold(area);
                try
                {
                    _domains[filled].Fill(area);
                }
                catch
                {
                    LetGo(area);
                    throw;
                }
            }
        }
        catch
        {
            ClearDomains(area, filled);
            throw;
        }
    }

    private void ClearDomains(IoasArea area, int count)
    {
        for (int i = 0; i < count; i++)
        {
            _domains[i].Clear(area);
            LetGo(area);
        }
    }

    /// <summary>A mapping cannot be made: the addresses are free again.</summary>
    private void GiveUp(List<IoasArea> areas, int held)
    {
        LetGo(areas, held);
        areas.ForEach(Displace);
    }

    private static void LetGo(List<IoasArea> areas, int count)
    {
        for (int i = 0; i < count; i++)
        {
            LetGo(areas[i]);
        }
    }

    /// <summary>Gives the addresses of an area back.</summary>
    private void Displace(IoasArea area)
    {
        _areas.Remove(area.Iova);
        Freed(area.Iova);
    }

    private readonly record struct MappedPiece(MappedPages Pages, ulong Start, ulong Length);
}
