using FastNest.Amd.Viommu;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// The tables in which the IOMMU looks a guest's device and domain ids up. They begin with shared pages that the IOMMU may only
/// read, in which every id leads where an unused one must (reading 108); a page is the guest's own from the first entry on that
/// is written to it. Serialised by the vIOMMU.
/// </summary>
internal sealed class GuestIdTables : IDisposable
{
    private const ulong PageMask = PageSource.PageSize - 1;

    private readonly PrivateSpace _space;
    private readonly ushort _guest;
    private readonly ulong _noDomains;
    private readonly VmmTables? _memory;
    private readonly HashSet<ulong> _written = [];
    private readonly List<ulong> _pages = [];

    /// <param name="space">Where the IOMMU finds the tables.</param>
    /// <param name="guest">The guest's id.</param>
    /// <param name="domain">The host's domain that domain ids without a domain stand for: the nest parent's.</param>
    /// <param name="memory">Where the guest's own pages come from, disposed with the tables; null for the driver's.</param>
    public GuestIdTables(PrivateSpace space, ushort guest, ushort domain, VmmTables? memory)
    {
        _memory = memory;
        _space = space;
        _guest = guest;
        _noDomains = TakePage();
        space.Entries(_noDomains).Fill(PrivateLayout.Entry(true, domain));
        try
        {
            space.Repeat(Devices, space.NoDevices, Access.Read);
            space.Repeat(Domains, _noDomains, Access.Read);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    private IovaRange Devices => Table(PrivateLayout.DeviceId(_guest, 0), PrivateLayout.DeviceIdEntry);

    private IovaRange Domains => Table(PrivateLayout.DomainId(_guest, 0), PrivateLayout.DomainIdEntry);

    /// <summary>Fills a page with device ids that lead to no device (reading 95).</summary>
    public static void FillNoDevices(Span<ulong> page)
    {
        for (int i = 0; i < page.Length; i += 2)
        {
            page[i] = PrivateLayout.Entry(true, 0);
        }
    }

    /// <summary>Lets the IOMMU write a device id's entry.</summary>
    /// <exception cref="IommufdException">ENOMEM: no page. Others: as <see cref="VmmTables.Pin"/>.</exception>
    public void OpenDevice(ushort id) => Open(PrivateLayout.DeviceId(_guest, id), Devices.First, _memory?.Devices, _space.NoDevices);

    /// <summary>Lets the IOMMU write a domain id's entry.</summary>
    /// <exception cref="IommufdException">As <see cref="OpenDevice"/>.</exception>
    public void OpenDomain(ushort id) => Open(PrivateLayout.DomainId(_guest, id), Domains.First, _memory?.Domains, _noDomains);

    public void Dispose()
    {
        _space.Unmap(Devices, Domains);
        _space.Give(_pages);
        _memory?.Dispose();
    }

    private static IovaRange Table(ulong start, ulong entry) => new(start, start + (PrivateLayout.Ids * entry - 1));

    private void Open(ulong entry, ulong table, ulong? iova, ulong shared)
    {
        ulong place = entry & ~PageMask;
        if (_written.Contains(place))
        {
            return;
        }

        ulong page = iova is { } start ? _memory!.Pin(start + (place - table)) : TakePage();
        _space.Entries(shared).CopyTo(_space.Entries(page));
        _space.Replace(place, page, Access.ReadWrite);
        _written.Add(place);
    }

    private ulong TakePage()
    {
        ulong page = _space.TakePage();
        _pages.Add(page);
        return page;
    }
}
