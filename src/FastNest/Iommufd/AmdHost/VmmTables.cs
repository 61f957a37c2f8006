namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// Memory of the VMM for its VM's id tables: 1 MiB for device ids and 512 KiB for domain ids of an IOAS, pinned page by page as
/// entries are written; while one is pinned its mapping cannot be taken away. What a page held is overwritten. Whoever writes to a
/// page has the hardware act on other devices and domains of the IOMMU: it is for a VMM that is trusted as the host is.
/// </summary>
internal sealed class VmmTables : IDisposable
{
    private readonly IoasAccess _access;

    /// <param name="ioas">Where the tables are mapped.</param>
    /// <param name="devices">The IOVA of the device ids' table, a multiple of 4096.</param>
    /// <param name="domains">The IOVA of the domain ids' table, a multiple of 4096.</param>
    /// <exception cref="IommufdException">EINVAL: an address is misaligned. EADDRINUSE: a mapping is.</exception>
    public VmmTables(Ioas ioas, ulong devices, ulong domains)
    {
        if ((devices | domains) % PageSource.PageSize != 0)
        {
            throw new IommufdException(Errno.EINVAL, "tables_iova", devices | domains, "both must be multiples of 4096");
        }

        Devices = devices;
        Domains = domains;
        _access = new(ioas.Context, pinsPages: true, unmapped: null, locks: true);
        _access.Attach(ioas);
    }

    /// <summary>The IOVA of the device ids' table.</summary>
    public ulong Devices { get; }

    /// <summary>The IOVA of the domain ids' table.</summary>
    public ulong Domains { get; }

    /// <summary>Pins a page until disposed.</summary>
    /// <returns>Its physical address.</returns>
    /// <exception cref="IommufdException">ENOENT: nothing is mapped there. EPERM: not for writing. EFAULT, ENOMEM: it cannot be pinned.</exception>
    public ulong Pin(ulong iova)
    {
        ulong page = 0;
        _access.Pin(iova, PageSource.PageSize, new Span<ulong>(ref page), write: true);
        return page;
    }

    /// <summary>The hardware knows none of the pages any more.</summary>
    public void Dispose() => _access.Detach();
}
