using FastNest.Amd.Viommu;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// The private address space of one IOMMU, behind the entry of its own device: where it keeps the id tables of guests (digest
/// section 8.5). Any thread.
/// </summary>
internal sealed class PrivateSpace : IDisposable
{
    /// <summary>Three levels of 512 GiB reach beyond the last region.</summary>
    private const int Levels = 3;

    private readonly Lock _gate = new();
    private readonly AmdHostIommu _iommu;
    private readonly AmdHostDriver _driver;
    private readonly DeviceEntry _entry;
    private readonly HostPageTable _table;
    private readonly ushort _domain;
    private readonly List<ulong> _own = [];

    /// <summary>Makes the space and puts it behind an entry of the device table.</summary>
    /// <exception cref="IommufdException">EBUSY: the IOMMU's own id is in use. ENOMEM: no page for its table.</exception>
    public PrivateSpace(AmdHostDriver driver, AmdHostIommu iommu, DeviceId device)
    {
        _driver = driver;
        _iommu = iommu;
        _table = new(driver.Pages, Levels, PageSource.PageSize);
        _domain = driver.DomainIds.Take();
        for (ulong at = 0; at < PrivateLayout.DirtyStatusLength; at += PageSource.PageSize)
        {
            _own.Add(TakePage());
            _table.Map(PrivateLayout.DirtyStatus + at, _own[^1], PageSource.PageSize, Access.ReadWrite);
        }

        NoDevices = TakePage();
        _own.Add(NoDevices);
        GuestIdTables.FillNoDevices(Entries(NoDevices));
        _entry = iommu.AddEntry(device);
        _entry.Fix(HostDte.Host(_table.Root, Levels, _domain, dirty: false));
    }

    /// <summary>A page of device ids that lead nowhere, which every guest's table begins with.</summary>
    public ulong NoDevices { get; }

    /// <summary>A zeroed page, which is given back with <see cref="Give"/>.</summary>
    public ulong TakePage() => _driver.Pages.Take();

    /// <summary>The quadwords of a page, the driver's or one that is pinned.</summary>
    public Span<ulong> Entries(ulong page) => _driver.Pages.Entries(page);

    /// <summary>Gives pages back that are not mapped any more.</summary>
    public void Give(List<ulong> pages) => _driver.Pages.Give(pages);

    /// <summary>Maps the same page again and again over a range where nothing is mapped.</summary>
    public void Repeat(IovaRange range, ulong page, Access rights)
    {
        lock (_gate)
        {
            _table.Repeat(range.First, page, range.Last - range.First + 1, rights);
        }
    }

    /// <summary>Puts another page in the place of one; there is no moment without either.</summary>
    public void Replace(ulong address, ulong page, Access rights)
    {
        lock (_gate)
        {
            _table.Map(address, page, PageSource.PageSize, rights);
        }

        _iommu.Commands.Execute(HostCommand.InvalidatePages(_domain, new(address, address + (PageSource.PageSize - 1))));
    }

    /// <summary>Takes ranges out; the IOMMU knows nothing of their pages when this returns.</summary>
    public void Unmap(params ReadOnlySpan<IovaRange> ranges)
    {
        lock (_gate)
        {
            using (CommandBatch batch = _iommu.Commands.Begin())
            {
                foreach (IovaRange range in ranges)
                {
                    _table.Unmap(range.First, range.Last - range.First + 1);
                    batch.Add(HostCommand.InvalidatePages(_domain, range));
                }

                batch.Complete();
            }

            _table.GiveBack();
        }
    }

    /// <summary>No guest is left.</summary>
    public void Dispose()
    {
        _entry.Fix(HostDte.Blocked);
        _iommu.RemoveEntry(_entry);
        _iommu.Commands.Execute(HostCommand.InvalidatePages(_domain, IovaRange.All));
        _table.Dispose();
        Give(_own);
        _driver.DomainIds.Give(_domain);
    }
}
