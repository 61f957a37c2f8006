using FastNest.Memory;

namespace FastNest.Iommufd.Drivers;

/// <summary>One VM's slice of one physical IOMMU, as its driver makes it. Disposed when nothing stands on it any more.</summary>
internal abstract class HardwareViommu : IDisposable
{
    /// <summary>Takes the events of the VM's devices; null while nobody asks.</summary>
    public IViommuEventSink? Events { get; set; }

    /// <summary>The page that the VM accesses without a trap, or null; given out by mmap.</summary>
    public virtual IMmioWindow? Page => null;

    /// <summary>Bytes of <see cref="Page"/>, a multiple of 4096.</summary>
    public virtual ulong PageLength => 0;

    /// <summary>The registers that the VM sees, for whoever traps its accesses; null when the driver has none.</summary>
    public virtual IMmioWindow? Mmio => null;

    /// <summary>Told where <see cref="Page"/> can be mapped, before VIOMMU_ALLOC's data go back to the caller.</summary>
    public virtual void PageIsAt(ulong offset)
    {
    }

    /// <summary>Makes the hardware's side of a nested HWPT of the VM.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: not this form. EINVAL: the data are wrong.</exception>
    public abstract HardwareDomain CreateNested(HwptOptions options, DriverData data);

    /// <summary>As <see cref="HardwareDomain.Invalidate"/>, for HWPT_INVALIDATE on the vIOMMU.</summary>
    public abstract void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled);

    /// <summary>Lets the VM know a device by a number of its own until the result is disposed.</summary>
    /// <param name="device">A device behind the same IOMMU.</param>
    /// <param name="virtualId">The VM's number for it.</param>
    /// <exception cref="IommufdException">EINVAL: the number is too large.</exception>
    public abstract IDisposable MapDevice(HostDevice device, ulong virtualId);

    /// <summary>Whether queues of a type are given as physical memory, pinned by the caller, or as addresses of the VM.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: no such queues.</exception>
    public virtual QueueMemory QueueMemoryOf(uint type) =>
        throw new IommufdException(Errno.EOPNOTSUPP, "type", type, "the vIOMMU has no such queue");

    /// <summary>Whether queues of a type come and go in the order of their numbers: each lasts as long as the next.</summary>
    public virtual bool OrdersQueues(uint type) => false;

    /// <summary>Hands a queue to the hardware until the result is disposed.</summary>
    /// <param name="type">A type for which <see cref="QueueMemoryOf"/> answers.</param>
    /// <param name="index">The number among the queues of this type.</param>
    /// <param name="address">Its first byte: physical or of the VM.</param>
    /// <param name="length">Bytes.</param>
    /// <exception cref="IommufdException">EINVAL: an index too large, a wrong length or a misaligned base. EEXIST: the index is used. EIO: an earlier one is not.</exception>
    public virtual IDisposable CreateQueue(uint type, uint index, ulong address, ulong length) =>
        throw new IommufdException(Errno.EOPNOTSUPP, "type", type, "the vIOMMU has no such queue");

    public abstract void Dispose();
}
