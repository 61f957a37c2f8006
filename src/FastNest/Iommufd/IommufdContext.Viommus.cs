using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <content>vIOMMUs and what stands on them.</content>
public sealed partial class IommufdContext
{
    internal MmapOffsets Mappings { get; } = new();

    /// <summary>Makes a VM's slice of the IOMMU that a device stands behind (IOMMU_VIOMMU_ALLOC).</summary>
    /// <param name="type">The driver's type, not 0.</param>
    /// <param name="deviceId">A device behind the IOMMU.</param>
    /// <param name="hwptId">The nest parent: the VM's physical addresses.</param>
    /// <param name="data">The driver's data, read and written.</param>
    /// <param name="flags">Must be 0.</param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: a flag is set, or the driver has no such type. ENOENT: no such device or HWPT. EINVAL: the HWPT is no nest parent.
    /// </exception>
    public Viommu AllocateViommu(uint type, uint deviceId, uint hwptId, Memory<byte> data = default, uint flags = 0)
    {
        RequireType(type, flags);
        Device device = Objects.Find<Device>(deviceId, "dev_id");
        using ObjectUse deviceUse = device.Use();
        if (!device.Host.OffersViommu(type))
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "type", type, "the device's IOMMU has no such vIOMMUs");
        }

        HwptPaging parent = Objects.Find<HwptPaging>(hwptId, "hwpt_id");
        using ObjectUse parentUse = parent.Use();
        if ((parent.Options & HwptOptions.NestParent) == 0)
        {
            throw new IommufdException(Errno.EINVAL, "hwpt_id", hwptId, "must be a nest parent");
        }

        HardwareViommu hardware = device.Host.CreateViommu(type, parent.Hardware, data);
        try
        {
            return Objects.Add(new Viommu(parent, device.Host.Instance, type, hardware));
        }
        catch
        {
            hardware.Dispose();
            throw;
        }
    }

    /// <summary>Gives a VM a number for a device (IOMMU_VDEVICE_ALLOC).</summary>
    /// <param name="viommuId">The VM's slice of the device's IOMMU.</param>
    /// <param name="deviceId">The device.</param>
    /// <param name="virtualId">The VM's number for it.</param>
    /// <exception cref="IommufdException">
    /// ENOENT: no such vIOMMU, then no such device. EINVAL: the device stands behind another IOMMU, or the number is too large.
    /// EEXIST: the device has a number, or the number a device.
    /// </exception>
    public Vdevice AllocateVdevice(uint viommuId, uint deviceId, ulong virtualId)
    {
        Viommu viommu = Objects.Find<Viommu>(viommuId, "viommu_id");
        using ObjectUse viommuUse = viommu.Use();
        Device device = Objects.Find<Device>(deviceId, "dev_id");
        using ObjectUse deviceUse = device.Use();
        lock (Attaching)
        {
            if (device.Users < 2)
            {
                throw new IommufdException(Errno.ENOENT, "dev_id", deviceId, "the device is going");
            }

            if (!Equals(viommu.Instance, device.Host.Instance))
            {
                throw new IommufdException(Errno.EINVAL, "dev_id", deviceId, "the device stands behind another IOMMU than the vIOMMU");
            }

            return device.Vdevice is { } named
                ? throw new IommufdException(Errno.EEXIST, "dev_id", deviceId, $"a VM knows the device as 0x{named.VirtualId:x}")
                : Objects.Add(new Vdevice(viommu, device, virtualId));
        }
    }

    /// <summary>Makes a queue for events of a VM's devices (IOMMU_VEVENTQ_ALLOC).</summary>
    /// <param name="viommuId">The VM's slice of an IOMMU.</param>
    /// <param name="type">The driver's type of events, not 0.</param>
    /// <param name="depth">How many events it holds, at least 1; further ones are lost, and counted.</param>
    /// <param name="flags">Must be 0.</param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: a flag is set or the type is 0. EINVAL: no depth. ENOENT: no such vIOMMU. EEXIST: it has a queue of the type.
    /// </exception>
    public EventQueue AllocateEventQueue(uint viommuId, uint type, uint depth, uint flags = 0)
    {
        RequireType(type, flags);
        if (depth == 0)
        {
            throw new IommufdException(Errno.EINVAL, "veventq_depth", depth, "must be at least 1");
        }

        Viommu viommu = Objects.Find<Viommu>(viommuId, "viommu_id");
        using ObjectUse use = viommu.Use();
        return Objects.Add(new EventQueue(viommu, type, depth));
    }

    /// <summary>Hands a queue in a VM's memory to hardware (IOMMU_HW_QUEUE_ALLOC).</summary>
    /// <param name="viommuId">The VM's slice of an IOMMU.</param>
    /// <param name="type">The driver's type of queue, not 0.</param>
    /// <param name="index">Its number among those of the type.</param>
    /// <param name="iova">The VM's physical address of its first byte.</param>
    /// <param name="length">Bytes, not 0.</param>
    /// <param name="flags">Must be 0.</param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: a flag is set, or the vIOMMU has no such queues. EINVAL: no length, or a value that the driver refuses. EOVERFLOW,
    /// ERANGE: the memory, or its last page, ends beyond 2^64. ENOENT: no such vIOMMU, or the memory is not mapped. EPERM: it may not be read. EFAULT: it
    /// is not in one piece. EEXIST, EIO: the number is used, or an earlier one is not.
    /// </exception>
    public HardwareQueue AllocateHardwareQueue(uint viommuId, uint type, uint index, ulong iova, ulong length, uint flags = 0)
    {
        RequireType(type, flags);
        if (length == 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, "must not be 0");
        }

        if (length - 1 > ulong.MaxValue - iova)
        {
            throw new IommufdException(Errno.EOVERFLOW, "nesting_parent_iova", iova, $"0x{length:x} bytes from there end beyond 2^64");
        }

        if (iova + (length - 1) > ulong.MaxValue - PageSource.PageSize)
        {
            throw new IommufdException(Errno.ERANGE, "nesting_parent_iova", iova, "the last page ends at 2^64");
        }

        Viommu viommu = Objects.Find<Viommu>(viommuId, "viommu_id");
        using ObjectUse use = viommu.Use();
        return Objects.Add(new HardwareQueue(viommu, type, index, iova, length));
    }

    /// <summary>Maps the page of a vIOMMU that its VM uses without traps (mmap of the context's file).</summary>
    /// <param name="offset">Its <see cref="Viommu.MmapOffset"/>.</param>
    /// <param name="length">Its <see cref="Viommu.MmapLength"/>.</param>
    /// <param name="shared">MAP_SHARED; must be true.</param>
    /// <param name="executable">PROT_EXEC; must be false.</param>
    /// <exception cref="IommufdException">EINVAL: not shared, or the length is no multiple of 4096. EPERM: executable. ENXIO: no page stands so.</exception>
    public ViommuMapping Map(ulong offset, ulong length, bool shared = true, bool executable = false)
    {
        if (!shared || length == 0 || length % PageSource.PageSize != 0)
        {
            throw new IommufdException(Errno.EINVAL, "length", length, $"must be shared and a multiple of {PageSource.PageSize}, not 0");
        }

        return executable
            ? throw new IommufdException(Errno.EPERM, "prot", 1, "must not be executable")
            : Mappings.Map(offset, length);
    }

    /// <summary>Makes a queue for page requests of devices (IOMMU_FAULT_QUEUE_ALLOC).</summary>
    /// <param name="flags">Must be 0.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: a flag is set.</exception>
    public FaultQueue AllocateFaultQueue(uint flags = 0) => flags == 0
        ? Objects.Add(new FaultQueue(this))
        : throw new IommufdException(Errno.EOPNOTSUPP, "flags", flags, "must be 0");

    private static void RequireType(uint type, uint flags)
    {
        if (flags != 0 || type == 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, flags != 0 ? "flags" : "type", flags != 0 ? flags : type, "flags must be 0, the type must not");
        }
    }
}
