namespace FastNest.Iommufd.Drivers;

/// <summary>The hardware's side of a paging HWPT.</summary>
internal abstract class HardwarePagingDomain : HardwareDomain, IDomainInvalidation
{
    /// <summary>What the hardware's tables look like.</summary>
    public abstract PagingFormat Format { get; }

    /// <summary>The tables to walk; set once, before the first attachment.</summary>
    public PagingDomain Tables { get => field ?? throw new InvalidOperationException("no tables"); set; }

    /// <summary>Whether only devices that mark what they write may be attached (DIRTY_TRACKING).</summary>
    public bool DemandsDirtyTracking { get; init; }

    /// <summary>Lets the walkers of attached devices mark what is written, or stop it.</summary>
    public abstract void SetDirtyTracking(bool enable);

    public abstract void Invalidate(PagingDomain domain, IovaRange range);
}
