using FastNest.Memory;

namespace FastNest.Iommufd;

/// <summary>
/// A vIOMMU's page, mapped for its VM. The vIOMMU cannot be destroyed before this is disposed, as it is at the latest with the
/// context. Any thread.
/// </summary>
public sealed class ViommuMapping : IMmioWindow, IDisposable
{
    private readonly Viommu _viommu;
    private int _disposed;

    internal ViommuMapping(Viommu viommu)
    {
        viommu.AddUser();
        _viommu = viommu;
    }

    /// <summary>Bytes of the page.</summary>
    public ulong Length => _viommu.MmapLength;

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The page is unmapped.</exception>
    public ulong Read(ulong offset, int size) => Page.Read(offset, size);

    /// <inheritdoc/>
    /// <exception cref="ObjectDisposedException">The page is unmapped.</exception>
    public void Write(ulong offset, int size, ulong value) => Page.Write(offset, size, value);

    /// <summary>Unmaps the page.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _viommu.Context.Mappings.Forget(this);
            _viommu.ReleaseUser();
        }
    }

    private IMmioWindow Page
    {
        get
        {
            ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, this);
            return _viommu.Hardware.Page!;
        }
    }
}
