using FastNest.Requests;

namespace FastNest.Iommufd.Drivers;

/// <summary>
/// A device of the host as its IOMMU's driver knows it: what struct device and its iommu_ops are to the kernel. Made by a
/// driver, bound to a context with <see cref="IommufdContext.Bind"/>. Any thread.
/// </summary>
public abstract class HostDevice
{
    private int _claimed;

    private protected HostDevice(DeviceId id) => Id = id;

    /// <summary>How the device names itself in requests.</summary>
    public DeviceId Id { get; }

    /// <summary>The physical IOMMU that it stands behind; equal for devices behind the same one.</summary>
    internal abstract object Instance { get; }

    /// <summary>What is attached as one: devices that the IOMMU cannot tell apart share a group.</summary>
    internal virtual object Group => this;

    /// <summary>Whether the IOMMU's accesses for it are coherent with the processor's; bind demands it.</summary>
    internal virtual bool IsCoherent => true;

    /// <summary>Whether its interrupts are kept apart from those of others; bind demands it.</summary>
    internal virtual bool HasIsolatedInterrupts => true;

    /// <summary>Whether the walkers mark what it writes.</summary>
    internal virtual bool TracksDirty => false;

    /// <summary>Whether page requests of it can be answered.</summary>
    internal virtual bool TakesPageResponses => false;

    /// <summary>log2 of how many PASIDs it may use; 0 without any.</summary>
    internal virtual int PasidBits => 0;

    /// <summary>Addresses that never reach memory for this device.</summary>
    internal virtual IReadOnlyList<IovaRange> ReservedRanges => [];

    /// <summary>What GET_HW_INFO tells: the driver's type and its structure, without a header.</summary>
    internal abstract (uint Type, byte[] Data) Information { get; }

    /// <summary>Whether vIOMMUs of a type can be made on its IOMMU.</summary>
    internal abstract bool OffersViommu(uint type);

    /// <summary>Makes the hardware's side of a paging HWPT. Its tables are given by <see cref="HardwarePagingDomain.Tables"/> before it is attached.</summary>
    /// <param name="options">HWPT_ALLOC's flags.</param>
    /// <param name="data">The driver's data; type 0 and empty without any.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: flags or data are not the driver's.</exception>
    internal abstract HardwarePagingDomain CreatePaging(HwptOptions options, DriverData data);

    /// <summary>Makes the hardware's side of a nested HWPT straight on a parent, without a vIOMMU.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: not this driver, or not this data. EINVAL: the data are wrong.</exception>
    internal abstract HardwareDomain CreateNested(HardwarePagingDomain parent, HwptOptions options, DriverData data);

    /// <summary>Makes the hardware's side of a vIOMMU on the device's IOMMU.</summary>
    /// <param name="type">VIOMMU_ALLOC's type.</param>
    /// <param name="parent">A nest parent.</param>
    /// <param name="data">The driver's data, read and written.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: no such type here.</exception>
    internal abstract HardwareViommu CreateViommu(uint type, HardwarePagingDomain parent, Memory<byte> data);

    /// <summary>Lets the device, or one PASID of it, translate through another domain; one attachment follows the other without a gap where the hardware can.</summary>
    /// <param name="pasid">The PASID, or null for requests without one.</param>
    /// <param name="domain">What it translates through from now on; null blocks it.</param>
    /// <exception cref="IommufdException">EINVAL: the domain does not fit the device. Nothing is changed.</exception>
    internal abstract void Attach(uint? pasid, HardwareDomain? domain);

    /// <summary>Takes the device for one context; false when another has it.</summary>
    internal bool TryClaim() => Interlocked.Exchange(ref _claimed, 1) == 0;

    /// <summary>Gives it back.</summary>
    internal void Release() => Volatile.Write(ref _claimed, 0);

    /// <summary>Answers a page request group.</summary>
    internal virtual void Respond(uint? pasid, int group, bool success)
    {
    }
}
