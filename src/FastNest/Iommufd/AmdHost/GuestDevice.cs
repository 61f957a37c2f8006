namespace FastNest.Iommufd.AmdHost;

/// <summary>A VM's number for a device of the host, until disposed.</summary>
/// <param name="viommu">Whose number.</param>
/// <param name="entry">The device.</param>
/// <param name="virtualId">The number.</param>
internal sealed class GuestDevice(AmdViommu viommu, DeviceEntry entry, ushort virtualId) : IDisposable
{
    private int _disposed;

    public AmdViommu Viommu => viommu;

    public DeviceEntry Entry => entry;

    public ushort VirtualId => virtualId;

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            viommu.ReleaseDevice(this);
        }
    }
}
