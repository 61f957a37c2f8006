namespace FastNest.Iommufd;

/// <summary>A device as a VM knows it. It goes with the device at the latest; its id is then not used again.</summary>
public sealed class Vdevice : IommufdObject
{
    private readonly IDisposable _mapping;

    /// <exception cref="IommufdException">EEXIST: the vIOMMU has the number. EINVAL: the driver does not take it.</exception>
    internal Vdevice(Viommu viommu, Device device, ulong virtualId)
        : base(viommu.Context)
    {
        Viommu = viommu;
        Device = device;
        VirtualId = virtualId;
        viommu.Reserve(this);
        try
        {
            _mapping = viommu.Hardware.MapDevice(device.Host, virtualId);
            viommu.AddUser();
        }
        catch
        {
            _mapping?.Dispose();
            viommu.Forget(this);
            throw;
        }

        device.Vdevice = this;
    }

    /// <summary>The VM's slice of the device's IOMMU.</summary>
    public Viommu Viommu { get; }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>The VM's number for it: a device id, a stream id.</summary>
    public ulong VirtualId { get; }

    private protected override void OnDestroyed()
    {
        lock (Context.Attaching)
        {
            Device.Vdevice = null;
            _mapping.Dispose();
            Viommu.Forget(this);
        }

        Viommu.ReleaseUser();
    }
}
