using FastNest.Amd.Viommu;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// A VM's slice of an IOMMU that serves guests by hardware (digest section 8): a guest id, a page of registers, id tables, and
/// an entry of the device table behind which its physical addresses are.
/// </summary>
internal sealed class AmdViommu : HardwareViommu
{
    /// <summary>VIOMMU_ALLOC's type.</summary>
    public const uint Type = 3;

    private const ulong VfPageLength = 0x1000;

    private readonly Lock _gate = new();
    private readonly AmdHostDriver _driver;
    private readonly AmdHostIommu _iommu;
    private readonly ViommuHardware _hardware;
    private readonly ViommuData _data;
    private readonly Attachment _memory;
    private readonly GuestIdTables _ids;
    private readonly GuestWindow _page;
    private readonly Lazy<GuestWindow> _mmio;
    private readonly Dictionary<ushort, GuestDomain> _domains = [];
    private readonly HashSet<ushort> _devices = [];
    private readonly GuestQueue?[] _queues = new GuestQueue?[GuestQueue.Kinds];

    /// <summary>Gives the VM what it has; all that its commands need is in place before its rings can run (digest section 8.9).</summary>
    /// <exception cref="IommufdException">EINVAL, EOPNOTSUPP, ENOENT: the data are wrong. ENOSPC: no id is left. ENOMEM: no page.</exception>
    public AmdViommu(AmdHostDriver driver, AmdHostIommu iommu, AmdPagingDomain parent, Memory<byte> data)
    {
        _driver = driver;
        _iommu = iommu;
        _hardware = iommu.Iommu.Viommu!;
        _data = new(data);
        Parent = parent;
        VmmTables? tables = _data.OpenTables(parent.Tables.Ioas.Context);
        DeviceEntry? translate = null;
        try
        {
            translate = iommu.AddTranslateEntry();
            GuestId = iommu.GuestIds.Take();
            _ids = new(iommu.PrivateSpace, GuestId, parent.Id, tables);
        }
        catch
        {
            tables?.Dispose();
            if (translate is not null)
            {
                iommu.RemoveTranslateEntry(translate);
            }

            if (GuestId != 0)
            {
                iommu.GuestIds.Give(GuestId);
            }

            throw;
        }

        Control = new(_hardware, GuestId);
        _memory = new(translate, parent);
        parent.Join(_memory);
        iommu.Commands.Execute(HostCommand.ResetGuest(GuestId));
        _memory.Entry.Set(_memory);
        Control.Write(VfControlLayout.Misc, VfControlLayout.TranslateDevID.Of(_memory.Entry.Id.Value));
        _page = new(_hardware.VfMmio, (ulong)GuestId * VfPageLength, VfPageLength);
        _mmio = new(() => new(_hardware.OpenGuestMmio(GuestId), 0, Amd.AmdIommu.MmioSize));
        _data.Write(iommu.Device, _memory.Entry.Id, GuestId);
        iommu.AddGuest(this);
    }

    /// <summary>The nest parent: the VM's physical addresses.</summary>
    public AmdPagingDomain Parent { get; }

    /// <summary>What the hardware calls the VM.</summary>
    public ushort GuestId { get; }

    /// <summary>The entry that translates for the VM's rings.</summary>
    public DeviceEntry TranslateEntry => _memory.Entry;

    public AmdHostIommu Iommu => _iommu;

    /// <summary>What the host tells the hardware about the VM.</summary>
    public VfControl Control { get; }

    public override IMmioWindow Page => _page;

    public override ulong PageLength => _page.Length;

    public override IMmioWindow Mmio => _mmio.Value;

    public override void PageIsAt(ulong offset) => _data.WritePageOffset(offset);

    public override HardwareDomain CreateNested(HwptOptions options, DriverData data)
    {
        if (options != HwptOptions.None)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", (uint)options, "a nested HWPT has none: page requests are logged for the VM");
        }

        GuestDte guest = GuestDte.Parse(data, _iommu.Iommu.Features);
        return new AmdNestedDomain(this, guest, HoldDomain(guest.Domain));
    }

    /// <summary>The VM's commands go to its own ring, or are its VMM's to carry out.</summary>
    public override void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled)
    {
        handled = 0;
        throw new IommufdException(Errno.EOPNOTSUPP, "data_type", type, "AMD has no invalidation data");
    }

    public override IDisposable MapDevice(HostDevice device, ulong virtualId)
    {
        if (device is not AmdHostDevice amd || amd.Instance != _iommu)
        {
            throw new IommufdException(Errno.EINVAL, "dev_id", device.Id.Value, "the device is behind another IOMMU");
        }

        if (virtualId > ushort.MaxValue)
        {
            throw new IommufdException(Errno.EINVAL, "virt_id", virtualId, $"must be at most {ushort.MaxValue}");
        }

        var named = new GuestDevice(this, amd.Entry, (ushort)virtualId);
        lock (_gate)
        {
            _ids.OpenDevice(named.VirtualId);
            if (_devices.Contains(named.VirtualId) || !amd.Entry.TryName(named))
            {
                throw new IommufdException(Errno.EEXIST, "virt_id", virtualId, "the device has a number, or the number a device");
            }

            _devices.Add(named.VirtualId);
            Control.Map(VfControlLayout.DeviceMap, named.VirtualId, (ushort)amd.Id.Value);
        }

        Refresh(amd.Entry);
        return named;
    }

    public override QueueMemory QueueMemoryOf(uint type) => GuestQueue.IsKind(type) ? QueueMemory.Guest : base.QueueMemoryOf(type);

    public override IDisposable CreateQueue(uint type, uint index, ulong address, ulong length)
    {
        if (!GuestQueue.IsKind(type))
        {
            return base.CreateQueue(type, index, address, length);
        }

        var queue = new GuestQueue(this, type, index, address, length);
        lock (_gate)
        {
            if (_queues[queue.Slot] is not null)
            {
                throw new IommufdException(Errno.EEXIST, "index", index, "the VM has this queue");
            }

            _queues[queue.Slot] = queue;
            queue.Place();
        }

        return queue;
    }

    /// <summary>The VM's number of a device that it has; any thread.</summary>
    public GuestDevice? FindDevice(DeviceEntry entry) => entry.Guest is { } named && named.Viommu == this ? named : null;

    /// <summary>Nothing stands on it any more. The VM's rings stop; its id is free when nothing of it is left in the hardware.</summary>
    public override void Dispose()
    {
        _page.Close();
        if (_mmio.IsValueCreated)
        {
            _mmio.Value.Close();
        }

        _iommu.RemoveGuest(this);
        _iommu.Commands.Execute(HostCommand.ResetGuest(GuestId));
        _memory.Entry.Set(null);
        Parent.Leave(_memory);
        _iommu.RemoveTranslateEntry(_memory.Entry);
        _ids.Dispose();
        _iommu.GuestIds.Give(GuestId);
    }

    /// <summary>A nested HWPT of the domain is gone; with the last one its translations and the host's id.</summary>
    internal void ReleaseDomain(ushort id)
    {
        lock (_gate)
        {
            GuestDomain domain = _domains[id];
            if (--domain.Users == 0)
            {
                _domains.Remove(id);
                Control.Map(VfControlLayout.DomainMap, id, Parent.Id);
                Parent.RemoveNested(_iommu, domain.HostId);
                _driver.DomainIds.Give(domain.HostId);
            }
        }
    }

    internal void ReleaseDevice(GuestDevice named)
    {
        lock (_gate)
        {
            Control.Map(VfControlLayout.DeviceMap, named.VirtualId, 0);
            _devices.Remove(named.VirtualId);
            named.Entry.Forget();
        }

        Refresh(named.Entry);
    }

    internal void ReleaseQueue(GuestQueue queue)
    {
        lock (_gate)
        {
            queue.Remove();
            _queues[queue.Slot] = null;
        }
    }

    /// <summary>All HWPTs of one guest domain share a host id: the guest tells their translations apart by no more than its own.</summary>
    private ushort HoldDomain(ushort id)
    {
        lock (_gate)
        {
            if (!_domains.TryGetValue(id, out GuestDomain? domain))
            {
                _ids.OpenDomain(id);
                domain = new(_driver.DomainIds.Take());
                _domains.Add(id, domain);
                Parent.AddNested(_iommu, domain.HostId);
                Control.Map(VfControlLayout.DomainMap, id, domain.HostId);
            }

            domain.Users++;
            return domain.HostId;
        }
    }

    /// <summary>A device that has translated for the VM before it had its number is known by it from now on, or the other way round.</summary>
    private void Refresh(DeviceEntry entry)
    {
        if (entry.Attachment is NestedAttachment attachment && attachment.Viommu == this)
        {
            entry.Refresh(attachment);
        }
    }
}
