using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>Tables of the host, filled with what an IOAS maps: the only stage, or the second below guests' own.</summary>
public sealed class HwptPaging : Hwpt
{
    private HwptPaging(Ioas ioas, HardwarePagingDomain domain, FaultQueue? faults, HwptOptions options, bool isAuto)
        : base(ioas.Context, domain, faults)
    {
        Ioas = ioas;
        Options = options;
        IsAuto = isAuto;
    }

    /// <summary>Whose mappings it holds.</summary>
    public Ioas Ioas { get; }

    /// <summary>What was asked for when it was made.</summary>
    public HwptOptions Options { get; }

    /// <summary>Whether it was made by attaching a device to an IOAS; it goes with the last of its devices.</summary>
    public bool IsAuto { get; }

    internal HardwarePagingDomain Hardware => (HardwarePagingDomain)Domain;

    /// <summary>Has what devices write marked from now on, with every page clean, or no longer (HWPT_SET_DIRTY_TRACKING).</summary>
    /// <param name="enable">Whether to begin or to end.</param>
    /// <param name="splitsPages">
    /// Whether large pages are split until tracking ends, so that a write marks 4 KiB. Else it marks the whole page, as in Linux.
    /// </param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: the HWPT was not made for it. ENOENT: it is destroyed. ENOMEM: no page for a table. Nothing is changed.
    /// </exception>
    public void SetDirtyTracking(bool enable, bool splitsPages = false)
    {
        using ObjectUse use = Use();
        RequireDirtyTracking();
        if (enable)
        {
            Hardware.Tables.BeginDirtyTracking(splitsPages);
            Hardware.SetDirtyTracking(true);
        }
        else
        {
            Hardware.SetDirtyTracking(false);
            Hardware.Tables.EndDirtyTracking();
        }
    }

    /// <summary>Adds the pages that were written to a bitmap (HWPT_GET_DIRTY_BITMAP), up to the first page that is not mapped.</summary>
    /// <param name="iova">The first address, a multiple of the page size and of the alignment of the IOAS.</param>
    /// <param name="length">Bytes, such a multiple too.</param>
    /// <param name="pageSize">Bytes that a bit stands for, a power of two.</param>
    /// <param name="bitmap">Bits are added to it; bit 0 of byte 0 is the first page.</param>
    /// <param name="clear">Whether what is read begins anew; false is NO_CLEAR.</param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: the HWPT was not made for it. EOVERFLOW: the range wraps. EINVAL: a value is misaligned. EFAULT: the bitmap is too short.
    /// </exception>
    public void GetDirtyBitmap(ulong iova, ulong length, ulong pageSize, Memory<byte> bitmap, bool clear = true)
    {
        using ObjectUse use = Use();
        RequireDirtyTracking();
        Hardware.Tables.ReadDirty(iova, length, pageSize, bitmap, clear);
    }

    /// <summary>Makes one for a device, with what the IOAS maps in its tables.</summary>
    /// <exception cref="IommufdException">As <see cref="IommufdContext.AllocateHwpt"/>. Nothing is left behind.</exception>
    internal static HwptPaging Create(
        HostDevice device, Ioas ioas, HwptOptions options, DriverData data, FaultQueue? faults, bool isAuto)
    {
        HardwarePagingDomain domain = device.CreatePaging(options, data);
        PagingDomain? tables = null;
        try
        {
            tables = new PagingDomain(ioas, domain.Format, domain);
            domain.Tables = tables;
            tables.Attach();
            return new(ioas, domain, faults, options, isAuto);
        }
        catch
        {
            tables?.Dispose();
            domain.Dispose();
            throw;
        }
    }

    private protected override void OnDestroyed()
    {
        Ioas.ForgetAuto(this);
        Hardware.Tables.Dispose();
        base.OnDestroyed();
    }

    private void RequireDirtyTracking()
    {
        if ((Options & HwptOptions.DirtyTracking) == 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "hwpt_id", Id, "was not made with DIRTY_TRACKING");
        }
    }
}
