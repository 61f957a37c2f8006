using System.Runtime.InteropServices;

namespace FastNest.Iommufd;

/// <summary>
/// Devices that an IOMMU cannot tell apart, and what they translate through: for each PASID, all of them through one HWPT.
/// Serialised by <see cref="IommufdContext.Attaching"/>.
/// </summary>
internal sealed class DeviceGroup
{
    /// <summary>Stands for requests without a PASID.</summary>
    private const uint NoPasid = uint.MaxValue;

    private readonly Dictionary<uint, Attachment> _attachments = [];

    /// <summary>How many devices there are.</summary>
    public int Members { get; set; }

    /// <summary>What a device translates through, or null.</summary>
    public Hwpt? Find(Device device, uint? pasid) =>
        _attachments.TryGetValue(pasid ?? NoPasid, out Attachment? attachment) && attachment.Devices.Contains(device) ? attachment.Hwpt : null;

    /// <summary>Attaches a device, or moves it and with it the group.</summary>
    public void Change(Device device, uint? pasid, Hwpt hwpt, bool replaces)
    {
        Hwpt? before = RequireState(device, pasid, replaces);
        if (before == hwpt)
        {
            return;
        }

        CheckFit(device, pasid, hwpt);
        if (before is not null)
        {
            Replace(_attachments[pasid ?? NoPasid], pasid, hwpt);
            return;
        }

        ref Attachment? attachment = ref CollectionsMarshal.GetValueRefOrAddDefault(_attachments, pasid ?? NoPasid, out bool exists);
        attachment ??= new(hwpt);
        if (attachment.Hwpt != hwpt)
        {
            throw new IommufdException(Errno.EINVAL, "pt_id", hwpt.Id, $"the device's group translates through {attachment.Hwpt.Id}");
        }

        try
        {
            Join(device, pasid, hwpt);
            attachment.Devices.Add(device);
        }
        catch when (!exists)
        {
            _attachments.Remove(pasid ?? NoPasid);
            throw;
        }
    }

    /// <summary>What is attached; nothing before it is attached, something before it is replaced.</summary>
    /// <exception cref="IommufdException">EBUSY: something is attached. EINVAL: nothing is.</exception>
    public Hwpt? RequireState(Device device, uint? pasid, bool replaces) => (Find(device, pasid), replaces) switch
    {
        (null, true) => throw new IommufdException(Errno.EINVAL, "dev_id", device.Id, "nothing is attached that could be replaced"),
        ({ } hwpt, false) => throw new IommufdException(Errno.EBUSY, "dev_id", device.Id, $"{hwpt.Id} is attached"),
        var (hwpt, _) => hwpt,
    };

    public void Detach(Device device, uint? pasid)
    {
        if (Find(device, pasid) is { } hwpt)
        {
            Attachment attachment = _attachments[pasid ?? NoPasid];
            device.Host.Attach(pasid, null);
            attachment.Devices.Remove(device);
            if (attachment.Devices.Count == 0)
            {
                _attachments.Remove(pasid ?? NoPasid);
            }

            Leave(device, pasid, hwpt);
        }
    }

    public void DetachAll(Device device)
    {
        foreach (uint pasid in _attachments.Keys.OrderBy(static pasid => pasid).ToArray())
        {
            Detach(device, pasid == NoPasid ? null : pasid);
        }
    }

    private static void Join(Device device, uint? pasid, Hwpt hwpt)
    {
        hwpt.AddUser();
        try
        {
            Reserve(device, pasid, hwpt);
            device.Host.Attach(pasid, hwpt.Domain);
        }
        catch
        {
            Unreserve(device, pasid, hwpt);
            hwpt.ReleaseUser();
            throw;
        }
    }

    /// <summary>After the hardware has let go.</summary>
    private static void Leave(Device device, uint? pasid, Hwpt hwpt)
    {
        hwpt.Faults?.Abandon(device, pasid);
        Unreserve(device, pasid, hwpt);
        hwpt.ReleaseUser();
        if (hwpt is HwptPaging { IsAuto: true })
        {
            hwpt.Context.Objects.TryDestroy(hwpt, bury: false);
        }
    }

    private static void Replace(Attachment attachment, uint? pasid, Hwpt hwpt)
    {
        Hwpt before = attachment.Hwpt;
        var moved = new List<Device>();
        try
        {
            foreach (Device device in attachment.Devices)
            {
                Join(device, pasid, hwpt);
                moved.Add(device);
            }
        }
        catch
        {
            foreach (Device device in moved)
            {
                device.Host.Attach(pasid, before.Domain);
                Leave(device, pasid, hwpt);
            }

            throw;
        }

        attachment.Hwpt = hwpt;
        moved.ForEach(device => Leave(device, pasid, before));
    }

    /// <summary>What never reaches memory for the device must not be mapped, where the tables are the host's.</summary>
    private static void Reserve(Device device, uint? pasid, Hwpt hwpt)
    {
        if (hwpt is HwptPaging paging && pasid is null)
        {
            foreach (IovaRange range in device.Host.ReservedRanges)
            {
                paging.Ioas.Reserve((device, paging), range);
            }
        }
    }

    private static void Unreserve(Device device, uint? pasid, Hwpt hwpt)
    {
        if (hwpt is HwptPaging paging && pasid is null)
        {
            paging.Ioas.Unreserve((device, paging));
        }
    }

    private void CheckFit(Device device, uint? pasid, Hwpt hwpt)
    {
        if (hwpt is HwptPaging { Hardware.DemandsDirtyTracking: true } && !device.Host.TracksDirty)
        {
            throw new IommufdException(Errno.EINVAL, "pt_id", hwpt.Id, "the device's IOMMU does not mark what is written");
        }

        if (hwpt.Faults is not null && !device.Host.TakesPageResponses)
        {
            throw new IommufdException(Errno.EINVAL, "pt_id", hwpt.Id, "the device makes no page requests");
        }

        bool hasPasids = pasid is not null || _attachments.Any(pair => pair.Key != NoPasid && pair.Value.Devices.Contains(device));
        if (hasPasids && !hwpt.Domain.TakesPasids)
        {
            throw new IommufdException(Errno.EINVAL, "pt_id", hwpt.Id, "with PASIDs, HWPTs must be made with ALLOC_PASID");
        }

        if (pasid is not null && Find(device, null) is { Domain.TakesPasids: false } below)
        {
            throw new IommufdException(Errno.EINVAL, "pasid", pasid.Value, $"{below.Id}, attached without one, was not made with ALLOC_PASID");
        }
    }

    /// <summary>Devices that translate through one HWPT.</summary>
    private sealed class Attachment(Hwpt hwpt)
    {
        public Hwpt Hwpt { get; set; } = hwpt;

        public List<Device> Devices { get; } = [];
    }
}
