using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>
/// A device bound to a context. Its owner holds a reference: DESTROY answers EBUSY, only <see cref="Unbind"/> ends it. Calls may
/// come from any thread.
/// </summary>
/// <remarks>The rules of Linux drivers/iommu/iommufd/device.c.</remarks>
public sealed class Device : IommufdObject
{
    private readonly DeviceGroup _group;
    private bool _unbound;

    internal Device(IommufdContext context, HostDevice host, DeviceGroup group)
        : base(context)
    {
        Host = host;
        _group = group;
        AddUser();
    }

    /// <summary>The device.</summary>
    public HostDevice Host { get; }

    /// <summary>What a VM knows it as, or null.</summary>
    public Vdevice? Vdevice { get; internal set; }

    /// <summary>What the device, or one PASID of it, translates through; null when nothing is attached.</summary>
    public Hwpt? AttachedTo(uint? pasid = null)
    {
        lock (Context.Attaching)
        {
            return _group.Find(this, pasid);
        }
    }

    /// <summary>Tells of the device and its IOMMU (IOMMU_GET_HW_INFO).</summary>
    /// <param name="type">The form of the driver's data that is wanted; 0 for the driver's own.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: the driver has no such form. ENOENT: the device is unbound.</exception>
    public HardwareInfo GetHardwareInfo(uint type = 0)
    {
        using ObjectUse use = Use();
        (uint own, byte[] data) = Host.Information;
        return type == 0 || type == own
            ? new(own, data, Host.TracksDirty ? HardwareCapabilities.DirtyTracking : HardwareCapabilities.None, Host.PasidBits)
            : throw new IommufdException(Errno.EOPNOTSUPP, "in_data_type", type, $"must be {own}");
    }

    /// <summary>Lets the device, or one PASID of it, translate.</summary>
    /// <param name="ptId">An HWPT, or an IOAS: then one that was made so before, if it fits, or a new one.</param>
    /// <param name="pasid">The PASID, or null for requests without one.</param>
    /// <exception cref="IommufdException">
    /// ENOENT: nothing has the id. EINVAL: it is neither, it does not fit the device, its group translates through another, or a
    /// PASID needs ALLOC_PASID. EBUSY: something is attached. EADDRINUSE: what the device reserves is mapped or allowed.
    /// </exception>
    public void Attach(uint ptId, uint? pasid = null) => Change(ptId, pasid, replaces: false);

    /// <summary>Lets the device, and with it its group, translate through something else; on failure all stays as it was.</summary>
    /// <param name="ptId">As for <see cref="Attach"/>.</param>
    /// <param name="pasid">The PASID, or null for requests without one.</param>
    /// <exception cref="IommufdException">EINVAL: nothing is attached. Else as for <see cref="Attach"/>.</exception>
    public void Replace(uint ptId, uint? pasid = null) => Change(ptId, pasid, replaces: true);

    /// <summary>Blocks the device, or one PASID of it, again; nothing happens if it is.</summary>
    public void Detach(uint? pasid = null)
    {
        lock (Context.Attaching)
        {
            _group.Detach(this, pasid);
        }
    }

    /// <summary>Detaches the device and takes it out of the context; a VM's number for it goes first, and its id with it.</summary>
    /// <exception cref="IommufdException">ENOENT: it was unbound before.</exception>
    public void Unbind()
    {
        lock (Context.Attaching)
        {
            if (_unbound)
            {
                throw new IommufdException(Errno.ENOENT, "dev_id", Id, "the device was unbound before");
            }

            _unbound = true;
            if (Vdevice is { } named)
            {
                Context.Objects.TryDestroy(named, bury: true);
            }

            Leave();
        }

        Context.Objects.TryDestroy(this, bury: false);
    }

    private protected override void OnContextClosing()
    {
        lock (Context.Attaching)
        {
            if (!_unbound)
            {
                _unbound = true;
                Leave();
            }
        }
    }

    private void Leave()
    {
        _group.DetachAll(this);
        Context.Forget(this);
        ReleaseUser();
    }

    private void Change(uint ptId, uint? pasid, bool replaces)
    {
        using ObjectUse use = Use();
        lock (Context.Attaching)
        {
            IommufdObject pt = Context.Objects.Find<IommufdObject>(ptId, "pt_id");
            using ObjectUse ptUse = pt.Use();
            switch (pt)
            {
                case Hwpt hwpt:
                    _group.Change(this, pasid, hwpt, replaces);
                    break;
                case Ioas ioas:
                    ChangeTo(ioas, pasid, replaces);
                    break;
                default:
                    throw new IommufdException(Errno.EINVAL, "pt_id", ptId, "must be an HWPT or an IOAS");
            }
        }
    }

    /// <summary>The first HWPT of its kind that fits the device, or one of its own.</summary>
    private void ChangeTo(Ioas ioas, uint? pasid, bool replaces)
    {
        _group.RequireState(this, pasid, replaces);
        foreach (HwptPaging made in ioas.AutoHwpts())
        {
            try
            {
                _group.Change(this, pasid, made, replaces);
                return;
            }
            catch (IommufdException refused) when (refused.Errno == Errno.EINVAL)
            {
            }
        }

        HwptPaging hwpt = Context.Objects.Add(HwptPaging.Create(Host, ioas, HwptOptions.None, default, null, isAuto: true));
        ioas.RememberAuto(hwpt);
        try
        {
            _group.Change(this, pasid, hwpt, replaces);
        }
        catch
        {
            Context.Objects.TryDestroy(hwpt, bury: false);
            throw;
        }
    }
}
