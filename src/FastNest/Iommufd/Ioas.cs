using System.Diagnostics.CodeAnalysis;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>
/// An I/O address space: which memory of processes stands behind which I/O virtual address (IOVA). Every paging domain made
/// from it has the same mappings. Without a domain or a pinning access nothing is pinned. Calls may come from any thread.
/// </summary>
/// <remarks>The rules and error numbers of Linux drivers/iommu/iommufd/ioas.c and io_pagetable.c.</remarks>
public sealed partial class Ioas : IommufdObject
{
    private readonly OrderedMap<IoasArea> _areas = new();
    private readonly List<PagingDomain> _domains = [];
    private readonly HashSet<IoasAccess> _accesses = [];
    private readonly List<HwptPaging> _autoHwpts = [];
    private bool _hugePages = true;

    internal Ioas(IommufdContext context)
        : base(context)
    {
    }

    /// <summary>What addresses and lengths of mappings must be multiples of: 1, or with a domain or a pinning access 4096.</summary>
    public ulong Alignment { get; private set; } = 1;

    /// <summary>Whether tables may hold pages above 4 KiB (IOMMU_OPTION_HUGE_PAGES).</summary>
    /// <exception cref="IommufdException">Setting false. EINVAL: a domain and a mapping exist. EADDRINUSE: a mapping is misaligned.</exception>
    public bool HugePages
    {
        get
        {
            lock (Gate)
            {
                return _hugePages;
            }
        }

        set
        {
            lock (Gate)
            {
                if (value == _hugePages)
                {
                    return;
                }

                if (!value && _domains.Count != 0 && _areas.Count != 0)
                {
                    throw new IommufdException(Errno.EINVAL, "val64", 0, "a domain holds mappings; none may exist");
                }

                if (!value)
                {
                    RequireAligned(PageSource.PageSize);
                }

                _hugePages = value;
                _domains.ForEach(domain => domain.UseHugePages(value));
                FindAlignment();
            }
        }
    }

    /// <summary>Guards the areas, domains and accesses. Taken before the locks of pages and tables, never while a callback runs.</summary>
    internal Lock Gate { get; } = new();

    /// <summary>HWPTs made by attaching devices, for other devices to share.</summary>
    internal HwptPaging[] AutoHwpts()
    {
        lock (Gate)
        {
            return [.. _autoHwpts];
        }
    }

    internal void RememberAuto(HwptPaging hwpt)
    {
        lock (Gate)
        {
            _autoHwpts.Add(hwpt);
        }
    }

    internal void ForgetAuto(HwptPaging hwpt)
    {
        lock (Gate)
        {
            _autoHwpts.Remove(hwpt);
        }
    }

    internal void AddDomain(PagingDomain domain)
    {
        lock (Gate)
        {
            RequireAligned(PageSource.PageSize);
            if (domain.Aperture.Last != ulong.MaxValue)
            {
                Reserve(domain, new(domain.Aperture.Last + 1, ulong.MaxValue));
            }

            domain.UseHugePages(_hugePages);
            var filled = new List<IoasArea>();
            try
            {
                foreach (IoasArea area in PublishedAreas())
                {
                    Hold(area);
                    filled.Add(area);
                    try
                    {
                        domain.Fill(area);
                    }
                    catch
                    {
                        filled.Remove(area);
                        LetGo(area);
                        throw;
                    }
                }
            }
            catch
            {
                filled.ForEach(domain.Clear);
                filled.ForEach(LetGo);
                Unreserve(domain);
                throw;
            }

            _domains.Add(domain);
            FindAlignment();
        }
    }

    internal void RemoveDomain(PagingDomain domain)
    {
        lock (Gate)
        {
            _domains.Remove(domain);
            domain.InvalidateAll();
            foreach (IoasArea area in PublishedAreas())
            {
                LetGo(area);
            }

            Unreserve(domain);
            FindAlignment();
        }
    }

    /// <summary>The areas that are in the tables of all domains. Under the lock.</summary>
    internal IEnumerable<IoasArea> PublishedAreas() => Areas().Where(static area => !area.IsPlaceholder);

    private protected override void OnDestroyed()
    {
        lock (Gate)
        {
            while (_areas.TryCeiling(0, out IoasArea? area))
            {
                RemoveArea(area);
            }
        }
    }

    private static Access Rights(IoasMapOptions flags) =>
        ((flags & IoasMapOptions.Readable) != 0 ? Access.Read : Access.None)
        | ((flags & IoasMapOptions.Writeable) != 0 ? Access.Write : Access.None);

    private IEnumerable<IoasArea> Areas() => _areas.From(0, static area => area.Last);


    private bool TryArea(ulong iova, [NotNullWhen(true)] out IoasArea? area) => IsMapped(new(iova, iova), out area) && !area!.IsPlaceholder;

    private bool IsMapped(IovaRange range, out IoasArea? area) => _areas.TryFloor(range.Last, out area) && area.Last >= range.First;

    /// <summary>Pins an area's pages for the first domain that has it; more domains share that pin.</summary>
    private static void Hold(IoasArea area)
    {
        if (area.Holds == 0)
        {
            area.Pages.Pin(area.Start, area.At(area.Last));
        }

        area.Holds++;
    }

    private static void LetGo(IoasArea area)
    {
        if (--area.Holds == 0)
        {
            area.Pages.Unpin(area.Start, area.At(area.Last));
        }
    }

    private void RemoveArea(IoasArea area)
    {
        ClearDomains(area, _domains.Count);
        Displace(area);
    }

    private void RequireAligned(ulong alignment)
    {
        if (alignment <= Alignment)
        {
            return;
        }

        foreach (IoasArea area in Areas())
        {
            if (!area.IsAligned(alignment))
            {
                throw new IommufdException(Errno.EADDRINUSE, "iova", area.Iova, $"the mapping there is not aligned to {alignment}");
            }
        }
    }

    private void FindAlignment() => Alignment =
        !_hugePages || _domains.Count != 0 || _accesses.Any(static access => access.PinsPages) ? PageSource.PageSize : 1;
}
