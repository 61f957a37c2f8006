using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>A paging HWPT's tables as AMD IOMMUs use them: under one domain id of the host on every IOMMU.</summary>
internal sealed class AmdPagingDomain : HardwarePagingDomain
{
    private readonly Lock _gate = new();
    private readonly List<DomainOnIommu> _iommus = [];
    private readonly AmdHostDriver _driver;
    private volatile bool _tracksDirty;

    public AmdPagingDomain(AmdHostDriver driver)
    {
        _driver = driver;
        Id = driver.DomainIds.Take();
    }

    public override PagingFormat Format => PagingFormat.Default;

    /// <summary>The host's id of translations of these tables alone; nested ones have others.</summary>
    public ushort Id { get; }

    /// <summary>Whether walkers mark what is written.</summary>
    public bool TracksDirty => _tracksDirty;

    public override void SetDirtyTracking(bool enable)
    {
        _tracksDirty = enable;
        lock (_gate)
        {
            foreach (DomainOnIommu place in _iommus)
            {
                foreach (Attachment user in place.Users)
                {
                    user.Entry.Refresh(user);
                }
            }
        }
    }

    public override void Invalidate(PagingDomain domain, IovaRange range)
    {
        lock (_gate)
        {
            foreach (DomainOnIommu place in _iommus)
            {
                place.Invalidate(range);
            }
        }
    }

    /// <summary>Counts a use, before its entry names the domain: from now on invalidations reach it.</summary>
    public void Join(Attachment user)
    {
        lock (_gate)
        {
            DomainOnIommu? place = Find(user.Entry.Iommu);
            if (place is null)
            {
                place = new(user.Entry.Iommu, Id);
                _iommus.Add(place);
            }

            place.Users.Add(user);
            if (user.Entry.HasAts)
            {
                place.AtsUsers.Add(user);
            }
        }
    }

    /// <summary>
    /// Takes a use back, after its entry named the domain. What an IOMMU without a use keeps is dropped in the same step: later
    /// invalidations do not reach it.
    /// </summary>
    public void Leave(Attachment user)
    {
        lock (_gate)
        {
            DomainOnIommu place = Find(user.Entry.Iommu)!;
            place.Users.Remove(user);
            place.AtsUsers.Remove(user);
            if (place.Users.Count == 0)
            {
                place.Invalidate(IovaRange.All);
                _iommus.Remove(place);
            }
        }
    }

    /// <summary>A guest's domain stands on these tables from now on; its vIOMMU is a user of them on this IOMMU.</summary>
    public void AddNested(AmdHostIommu iommu, ushort hostId)
    {
        lock (_gate)
        {
            Find(iommu)!.NestedIds.Add(hostId);
        }
    }

    /// <summary>No entry has a guest's domain any more: what is kept of it is dropped.</summary>
    public void RemoveNested(AmdHostIommu iommu, ushort hostId)
    {
        lock (_gate)
        {
            iommu.Commands.Execute(HostCommand.InvalidatePages(hostId, IovaRange.All));
            Find(iommu)!.NestedIds.Remove(hostId);
        }
    }

    /// <summary>No device is attached: the id is flushed everywhere.</summary>
    public override void Dispose()
    {
        lock (_gate)
        {
            if (_iommus.Count != 0)
            {
                throw new InvalidOperationException("the domain is in use");
            }
        }

        _driver.DomainIds.Give(Id);
    }

    private DomainOnIommu? Find(AmdHostIommu iommu) => _iommus.Find(place => place.Iommu == iommu);
}
