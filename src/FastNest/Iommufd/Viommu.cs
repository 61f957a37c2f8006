using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>
/// A VM's slice of one physical IOMMU: the VM object. A VM behind several IOMMUs has one for each, over one nest parent. Calls may
/// come from any thread.
/// </summary>
/// <remarks>The rules of Linux drivers/iommu/iommufd/viommu.c.</remarks>
public sealed class Viommu : IommufdObject, IViommuEventSink
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Vdevice> _vdevices = [];
    private readonly Dictionary<Device, Vdevice> _named = [];
    private readonly Dictionary<uint, EventQueue> _eventQueues = [];
    private readonly Dictionary<(uint Type, uint Index), HardwareQueue> _queues = [];

    internal Viommu(HwptPaging parent, object instance, uint type, HardwareViommu hardware)
        : base(parent.Context)
    {
        Parent = parent;
        Instance = instance;
        Type = type;
        Hardware = hardware;
        parent.AddUser();
        hardware.Events = this;
        if (hardware.PageLength != 0)
        {
            MmapLength = hardware.PageLength;
            MmapOffset = Context.Mappings.Register(this);
            hardware.PageIsAt(MmapOffset);
        }
    }

    /// <summary>The VM's physical addresses.</summary>
    public HwptPaging Parent { get; }

    /// <summary>The driver's type of vIOMMU.</summary>
    public uint Type { get; }

    /// <summary>Where <see cref="IommufdContext.Map"/> finds the page that the VM uses without traps; 0 when there is none.</summary>
    public ulong MmapOffset { get; }

    /// <summary>Bytes of that page.</summary>
    public ulong MmapLength { get; }

    /// <summary>The physical IOMMU.</summary>
    internal object Instance { get; }

    internal HardwareViommu Hardware { get; }

    /// <summary>Held while a queue is made, so that the one before it neither comes nor goes meanwhile.</summary>
    internal Lock Queueing { get; } = new();

    /// <summary>A trapped read of the VM's from its IOMMU's registers; as for <see cref="Memory.IMmioWindow.Read"/>.</summary>
    /// <param name="offset">Bytes from the start of the registers.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: the driver has no registers for VMs. ENOENT: the vIOMMU is destroyed.</exception>
    public ulong Read(ulong offset, int size)
    {
        using ObjectUse use = Use();
        return Registers(offset).Read(offset, size);
    }

    /// <summary>A trapped write of the VM's; what follows from it is done before this returns.</summary>
    /// <param name="offset">Bytes from the start of the registers.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    /// <param name="value">The low <paramref name="size"/> bytes count.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: the driver has no registers for VMs. ENOENT: the vIOMMU is destroyed.</exception>
    public void Write(ulong offset, int size, ulong value)
    {
        using ObjectUse use = Use();
        Registers(offset).Write(offset, size, value);
    }

    bool IViommuEventSink.Report(uint type, ReadOnlySpan<byte> data)
    {
        EventQueue? queue;
        lock (_gate)
        {
            queue = _eventQueues.GetValueOrDefault(type);
        }

        queue?.Add(data);
        return queue is not null;
    }

    bool IViommuEventSink.TryVirtualId(HostDevice device, out ulong virtualId)
    {
        lock (_gate)
        {
            Vdevice? named = Context.Find(device) is { } bound ? _named.GetValueOrDefault(bound) : null;
            virtualId = named?.VirtualId ?? 0;
            return named is not null;
        }
    }

    /// <summary>Puts a number of the VM's and its device together.</summary>
    /// <exception cref="IommufdException">EEXIST: the VM has the number.</exception>
    internal void Reserve(Vdevice vdevice)
    {
        lock (_gate)
        {
            if (!_vdevices.TryAdd(vdevice.VirtualId, vdevice))
            {
                throw new IommufdException(Errno.EEXIST, "virt_id", vdevice.VirtualId, "the vIOMMU has a device of this number");
            }

            _named.Add(vdevice.Device, vdevice);
        }
    }

    internal void Forget(Vdevice vdevice)
    {
        lock (_gate)
        {
            _vdevices.Remove(vdevice.VirtualId);
            _named.Remove(vdevice.Device);
        }
    }

    /// <exception cref="IommufdException">EEXIST: there is a queue of the type.</exception>
    internal void Add(EventQueue queue)
    {
        lock (_gate)
        {
            if (!_eventQueues.TryAdd(queue.Type, queue))
            {
                throw new IommufdException(Errno.EEXIST, "type", queue.Type, "the vIOMMU has an event queue of this type");
            }
        }
    }

    internal void Remove(EventQueue queue)
    {
        lock (_gate)
        {
            _eventQueues.Remove(queue.Type);
        }
    }

    /// <summary>The queue of a type and number, or null.</summary>
    internal HardwareQueue? FindQueue(uint type, uint index)
    {
        lock (_gate)
        {
            return _queues.GetValueOrDefault((type, index));
        }
    }

    internal void Add(HardwareQueue queue)
    {
        lock (_gate)
        {
            _queues.Add((queue.Type, queue.Index), queue);
        }
    }

    internal void Remove(HardwareQueue queue)
    {
        lock (_gate)
        {
            _queues.Remove((queue.Type, queue.Index));
        }
    }

    private protected override void OnDestroyed()
    {
        if (MmapLength != 0)
        {
            Context.Mappings.Unregister(this);
        }

        Hardware.Dispose();
        Parent.ReleaseUser();
    }

    private Memory.IMmioWindow Registers(ulong offset) => Hardware.Mmio
        ?? throw new IommufdException(Errno.EOPNOTSUPP, "offset", offset, "the driver has no registers for VMs");
}
