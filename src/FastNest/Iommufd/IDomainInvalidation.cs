namespace FastNest.Iommufd;

/// <summary>Told by a paging domain what translations must no longer be used.</summary>
internal interface IDomainInvalidation
{
    /// <summary>
    /// Returns when no cache holds, and no walk under way uses, what stood in the domain's tables for the addresses before the
    /// call. Called under the lock of the IOAS: it must not call back into it.
    /// </summary>
    void Invalidate(PagingDomain domain, IovaRange range);
}
