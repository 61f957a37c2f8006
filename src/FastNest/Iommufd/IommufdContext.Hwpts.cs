using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <content>HWPTs.</content>
public sealed partial class IommufdContext
{
    private const HwptOptions AllOptions =
        HwptOptions.NestParent | HwptOptions.DirtyTracking | HwptOptions.FaultIdValid | HwptOptions.AllocPasid;

    private const HwptOptions NestedOptions = HwptOptions.FaultIdValid | HwptOptions.AllocPasid;

    /// <summary>Makes an HWPT, as IOMMU_HWPT_ALLOC does: of an IOAS, on a nest parent, or on a vIOMMU.</summary>
    /// <param name="deviceId">A device that it will be attached to: its driver makes it.</param>
    /// <param name="ptId">The IOAS, the nest parent, or the vIOMMU.</param>
    /// <param name="options">What is asked of it.</param>
    /// <param name="dataType">The driver's form of the data; 0 for none.</param>
    /// <param name="data">The driver's data.</param>
    /// <param name="faultId">The fault queue, with <see cref="HwptOptions.FaultIdValid"/>.</param>
    /// <exception cref="IommufdException">
    /// EOPNOTSUPP: an option, or the data, are not offered. EINVAL: <paramref name="ptId"/> is nothing that an HWPT stands on, or
    /// the data are wrong. ENOENT: no such device or fault queue. EADDRINUSE, ENOMEM, EFAULT: as for attaching an IOAS.
    /// </exception>
    public Hwpt AllocateHwpt(
        uint deviceId,
        uint ptId,
        HwptOptions options = HwptOptions.None,
        uint dataType = 0,
        ReadOnlyMemory<byte> data = default,
        uint faultId = 0)
    {
        Require(options, AllOptions);
        if (dataType == 0 != data.IsEmpty)
        {
            throw new IommufdException(Errno.EINVAL, "data_len", (ulong)data.Length, $"must be 0 if data_type is, which is {dataType}");
        }

        Device device = Objects.Find<Device>(deviceId, "dev_id");
        using ObjectUse deviceUse = device.Use();
        IommufdObject pt = Objects.Find(ptId)
            ?? throw new IommufdException(Errno.EINVAL, "pt_id", ptId, "nothing has this id");
        using ObjectUse ptUse = pt.Use();
        if (pt is Ioas && (options & (HwptOptions.FaultIdValid | HwptOptions.NestParent)) == (HwptOptions.FaultIdValid | HwptOptions.NestParent))
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", (uint)options, "a nest parent has no fault queue");
        }

        FaultQueue? faults = (options & HwptOptions.FaultIdValid) != 0 ? Objects.Find<FaultQueue>(faultId, "fault_id") : null;
        var driverData = new DriverData(dataType, data);
        return pt switch
        {
            Ioas ioas => Objects.Add(HwptPaging.Create(device.Host, ioas, options, driverData, faults, isAuto: false)),
            HwptPaging parent => Objects.Add(Nest(device, parent, options, driverData, faults)),
            Viommu viommu => Objects.Add(Nest(device, viommu, options, driverData, faults)),
            _ => throw new IommufdException(Errno.EINVAL, "pt_id", ptId, "must be an IOAS, a nest parent or a vIOMMU"),
        };
    }

    /// <summary>Has cached translations of a guest's tables dropped, entry by entry (IOMMU_HWPT_INVALIDATE).</summary>
    /// <param name="id">A nested HWPT or a vIOMMU.</param>
    /// <param name="dataType">The form of the entries.</param>
    /// <param name="entryLength">Bytes of each.</param>
    /// <param name="entries">All entries.</param>
    /// <param name="count">How many there are; on return, also by an exception, how many were done.</param>
    /// <exception cref="IommufdException">ENOENT: no such object. EINVAL: it is neither, or a value is wrong. Others: the driver's.</exception>
    public void Invalidate(uint id, uint dataType, uint entryLength, ReadOnlySpan<byte> entries, ref uint count)
    {
        uint asked = count;
        count = 0;
        if (asked != 0 && (entryLength == 0 || (ulong)asked * entryLength > (ulong)entries.Length))
        {
            throw new IommufdException(Errno.EINVAL, "entry_len", entryLength, $"must not be 0, and {asked} entries fit {entries.Length} bytes");
        }

        IommufdObject target = Objects.Find<IommufdObject>(id, "hwpt_id");
        using ObjectUse use = target.Use();
        int done = 0;
        try
        {
            switch (target)
            {
                case HwptNested nested:
                    nested.Domain.Invalidate(dataType, (int)entryLength, entries, (int)asked, out done);
                    break;
                case Viommu viommu:
                    viommu.Hardware.Invalidate(dataType, (int)entryLength, entries, (int)asked, out done);
                    break;
                default:
                    throw new IommufdException(Errno.EINVAL, "hwpt_id", id, "must be a nested HWPT or a vIOMMU");
            }
        }
        finally
        {
            count = (uint)done;
        }
    }

    private static HwptNested Nest(Device device, HwptPaging parent, HwptOptions options, DriverData data, FaultQueue? faults)
    {
        RequireNested(options, data);
        if (parent.IsAuto || (parent.Options & HwptOptions.NestParent) == 0)
        {
            throw new IommufdException(Errno.EINVAL, "pt_id", parent.Id, "the HWPT is no nest parent");
        }

        return Made(device.Host.CreateNested(parent.Hardware, options & ~HwptOptions.FaultIdValid, data), parent, parent, faults);
    }

    private static HwptNested Nest(Device device, Viommu viommu, HwptOptions options, DriverData data, FaultQueue? faults)
    {
        RequireNested(options, data);
        if (!Equals(viommu.Instance, device.Host.Instance))
        {
            throw new IommufdException(Errno.EINVAL, "dev_id", device.Id, "the device stands behind another IOMMU than the vIOMMU");
        }

        return Made(viommu.Hardware.CreateNested(options & ~HwptOptions.FaultIdValid, data), viommu, viommu.Parent, faults);
    }

    private static HwptNested Made(HardwareDomain domain, IommufdObject below, HwptPaging parent, FaultQueue? faults)
    {
        bool stands = false;
        try
        {
            below.AddUser();
            stands = true;
            return new HwptNested(below, parent, domain, faults);
        }
        catch
        {
            domain.Dispose();
            if (stands)
            {
                below.ReleaseUser();
            }

            throw;
        }
    }

    private static void RequireNested(HwptOptions options, DriverData data)
    {
        Require(options, NestedOptions);
        if (data.Type == 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "data_type", 0, "a nested HWPT needs the driver's data");
        }
    }

    private static void Require(HwptOptions options, HwptOptions known)
    {
        if ((options & ~known) != 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", (uint)options, $"must be of 0x{(uint)known:x}");
        }
    }
}
