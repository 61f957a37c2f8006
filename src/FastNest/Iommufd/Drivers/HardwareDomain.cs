namespace FastNest.Iommufd.Drivers;

/// <summary>What a device translates through: the hardware's side of an HWPT. Disposed when nothing is attached any more.</summary>
internal abstract class HardwareDomain : IDisposable
{
    /// <summary>Whether a PASID may be attached to it (ALLOC_PASID).</summary>
    public bool TakesPasids { get; init; }

    /// <summary>Who takes page requests of devices attached to it; null when they are not forwarded.</summary>
    public IPageRequestSink? PageRequests { get; set; }

    /// <summary>
    /// Invalidates what is cached of a nested HWPT, entry by entry (HWPT_INVALIDATE on an HWPT).
    /// </summary>
    /// <param name="type">The form of the entries.</param>
    /// <param name="entryLength">Bytes of each.</param>
    /// <param name="entries">All of them.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="handled">How many were done, also when the call fails.</param>
    /// <exception cref="IommufdException">EINVAL: form or length are wrong. Others: what the first entry that failed gave.</exception>
    public virtual void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled)
    {
        handled = 0;
        throw new IommufdException(Errno.EINVAL, "hwpt_id", 0, "the driver invalidates by vIOMMU");
    }

    public abstract void Dispose();
}
