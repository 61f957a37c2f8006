using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <content>Devices.</content>
public sealed partial class IommufdContext
{
    private readonly Dictionary<object, DeviceGroup> _groups = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<HostDevice, Device> _devices = [];

    /// <summary>Held while attachments change; taken before every other lock.</summary>
    internal Lock Attaching { get; } = new();

    /// <summary>Binds a device of the host, so that HWPTs can be made for it and attached to it.</summary>
    /// <param name="device">The device.</param>
    /// <exception cref="IommufdException">EINVAL: its IOMMU is not coherent. EPERM: its interrupts are not isolated. EBUSY: it is bound.</exception>
    public Device Bind(HostDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (!device.IsCoherent)
        {
            throw new IommufdException(Errno.EINVAL, "device", device.Id.Value, "its IOMMU must be coherent");
        }

        if (!device.HasIsolatedInterrupts)
        {
            throw new IommufdException(Errno.EPERM, "device", device.Id.Value, "its interrupts must be isolated");
        }

        lock (Attaching)
        {
            if (!device.TryClaim())
            {
                throw new IommufdException(Errno.EBUSY, "device", device.Id.Value, "the device is bound");
            }

            if (!_groups.TryGetValue(device.Group, out DeviceGroup? group))
            {
                group = new();
                _groups.Add(device.Group, group);
            }

            group.Members++;
            Device bound = Objects.Add(new Device(this, device, group));
            lock (_devices)
            {
                _devices.Add(device, bound);
            }

            return bound;
        }
    }

    /// <summary>The device of a context, or null.</summary>
    internal Device? Find(HostDevice device)
    {
        lock (_devices)
        {
            return _devices.GetValueOrDefault(device);
        }
    }

    internal void Forget(Device device)
    {
        lock (_devices)
        {
            _devices.Remove(device.Host);
        }

        if (--_groups[device.Host.Group].Members == 0)
        {
            _groups.Remove(device.Host.Group);
        }

        device.Host.Release();
    }
}
