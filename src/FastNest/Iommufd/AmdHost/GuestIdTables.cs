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
    private readonly HashSet<ulong> _written = [];
    private readonly List<ulong> _pages = [];

    /// <param name="space">Where the IOMMU finds the tables.</param>
    /// <param name="guest">The guest's id.</param>
    /// <param name="domain">The host's domain that domain ids without a domain stand for: the nest parent's.</param>
    public GuestIdTables(PrivateSpace space, ushort guest, ushort domain)
    {
        _space = space;
        _guest = guest;
        _noDomains = space.TakePage();
        _pages.Add(_noDomains);
        space.Entries(_noDomains).Fill(PrivateLayout.Entry(true, domain));
        space.Repeat(Devices.First, Devices.Last - Devices.First + 1, space.NoDevices, Access.Read);
        space.Repeat(Domains.First, Domains.Last - Domains.First + 1, _noDomains, Access.Read);
    }

    private IovaRange Devices => new(PrivateLayout.DeviceId(_guest, 0), PrivateLayout.DeviceId(_guest, 0) + (PrivateLayout.Ids * PrivateLayout.DeviceIdEntry - 1));

    private IovaRange Domains => new(PrivateLayout.DomainId(_guest, 0), PrivateLayout.DomainId(_guest, 0) + (PrivateLayout.Ids * PrivateLayout.DomainIdEntry - 1));

    /// <summary>Fills a page with device ids that lead to no device (reading 95).</summary>
    public static void FillNoDevices(Span<ulong> page)
    {
        for (int i = 0; i < page.Length; i += 2)
        {
            page[i] = PrivateLayout.Entry(true, 0);
        }
    }

    /// <summary>Lets the IOMMU write a device id's entry.</summary>
    public void OpenDevice(ushort id) => Open(PrivateLayout.DeviceId(_guest, id), _space.NoDevices);

    /// <summary>Lets the IOMMU write a domain id's entry.</summary>
    public void OpenDomain(ushort id) => Open(PrivateLayout.DomainId(_guest, id), _noDomains);

    public void Dispose()
    {
        _space.Unmap(Devices, Domains);
        _space.Give(_pages);
    }

    private void Open(ulong entry, ulong shared)
    {
        ulong place = entry & ~PageMask;
        if (_written.Contains(place))
        {
            return;
        }

        ulong page = _space.TakePage();
        _pages.Add(page);
        _space.Entries(shared).CopyTo(_space.Entries(page));
        _space.Replace(place, page, Access.ReadWrite);
        _written.Add(place);
    }
}
