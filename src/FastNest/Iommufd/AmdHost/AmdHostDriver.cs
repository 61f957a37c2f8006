using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// The host's software for AMD IOMMUs: brings them up, owns their device tables and rings, and stands behind the objects of
/// <see cref="IommufdContext"/>. Devices that no context has bound are blocked. Any thread may call, but not from within a batch
/// of requests.
/// </summary>
public sealed class AmdHostDriver : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<AmdHostIommu> _iommus = [];
    private readonly GuestPhysicalSpace _memory;
    private bool _disposed;

    /// <summary>Makes a driver without IOMMUs.</summary>
    /// <param name="memory">The machine's memory, to which the driver adds its own at the upper end; the caller disposes it, after the driver.</param>
    public AmdHostDriver(GuestPhysicalSpace memory)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        Pages = new(memory);
    }

    /// <summary>The host's domain ids, on every IOMMU.</summary>
    internal IdPool DomainIds { get; } = new("domain_id");

    /// <summary>Pages of the driver's own tables.</summary>
    internal TablePages Pages { get; }

    /// <summary>Adds an IOMMU to the machine and brings it up.</summary>
    /// <param name="options">
    /// What it offers; null for everything, guests included. Its interrupts are served by the driver before the caller is
    /// told, who may be called with locks of the driver held and must not wait for another thread that calls it.
    /// </param>
    /// <param name="events">Told of each event of the host's log that no VM takes; any thread; must not wait for a translation.</param>
    /// <exception cref="IommufdException">ENOMEM: no memory for its tables.</exception>
    public AmdHostIommu AddIommu(AmdIommuOptions? options = null, Action<IommuEvent>? events = null)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var iommu = new AmdHostIommu(this, _memory, options ?? new() { Features = IommuFeatures.BuiltForGuests }, events);
            _iommus.Add(iommu);
            return iommu;
        }
    }

    /// <summary>Adds a device of the host. It is blocked until a context has it attached.</summary>
    /// <param name="iommu">Behind which IOMMU.</param>
    /// <param name="id">Its id, 1 to 65535.</param>
    /// <param name="options">What it can do; null for the least.</param>
    /// <exception cref="ArgumentOutOfRangeException">The id or the PASIDs are out of range.</exception>
    /// <exception cref="IommufdException">EBUSY: the id is in use on this IOMMU.</exception>
    public HostDevice AddDevice(AmdHostIommu iommu, DeviceId id, AmdDeviceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(iommu);
        ArgumentOutOfRangeException.ThrowIfZero(id.Value, nameof(id));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(id.Value, (uint)ushort.MaxValue, nameof(id));
        options ??= new();
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)options.PasidBits, (uint)TranslationRequest.PasidBits, nameof(options));
        return new AmdHostDevice(this, iommu, iommu.AddEntry(id, options.Ats, options.PageRequests), options);
    }

    /// <summary>
    /// Stops the IOMMUs, which refuse everything from now on, and takes the driver's memory out of the machine. Contexts with
    /// devices of the driver are disposed by then.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (!_disposed)
            {
                _disposed = true;
                _iommus.ForEach(static iommu => ((IDisposable)iommu).Dispose());
                Pages.Dispose();
            }
        }
    }
}
