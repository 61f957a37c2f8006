using FastNest.Iommufd;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <content>The calls.</content>
internal sealed partial class ObjectGraphPlay
{
    private void MakePaging()
    {
        HwptOptions options = _dice.Of(HwptOptions.NestParent, HwptOptions.NestParent, HwptOptions.AllocPasid, HwptOptions.None);
        Node? faults = _dice.OneIn(3) ? Some(Kind.FaultQueue) : null;
        options |= faults is null ? HwptOptions.None : HwptOptions.FaultIdValid;
        uint queue = (faults?.Real as FaultQueue)?.Id ?? 0;
        bool both = faults is not null && (options & HwptOptions.NestParent) != 0;
        Hwpt? made = null;
        Same(
            both ? Errno.EOPNOTSUPP : Errno.None,
            () => made = Context.AllocateHwpt(SomeDevice.Device.Id, _ioas.Id, options, faultId: queue));
        if (made is not null)
        {
            Add(Kind.Paging, made, faults);
        }
    }

    private void MakeNested()
    {
        BoundDevice device = SomeDevice;
        Node? below = Some(Kind.Paging, Kind.Auto, Kind.Viommu, Kind.Viommu, Kind.Nested);
        Node? faults = _dice.OneIn(3) ? Some(Kind.FaultQueue) : null;
        HwptOptions options = faults is null ? HwptOptions.None : HwptOptions.FaultIdValid;
        uint queue = (faults?.Real as FaultQueue)?.Id ?? 0;
        Errno expected = below switch
        {
            { Kind: Kind.Viommu } when below.Viommu.Instance == device.Host.Iommu => Errno.None,
            { Kind: Kind.Paging } when IsParent(below) => Errno.None,
            _ => Errno.EINVAL,
        };
        Hwpt? made = null;
        uint type = _dice.OneIn(8) ? MockIommu.NestedType + 1 : MockIommu.NestedType;
        expected = expected == Errno.None && type != MockIommu.NestedType ? Errno.EOPNOTSUPP : expected;
        Same(
            expected,
            () => made = Context.AllocateHwpt(device.Device.Id, (below?.Real as IommufdObject)?.Id ?? 0, options, type, NestedData, queue));
        if (made is not null)
        {
            Add(Kind.Nested, made, below, faults);
        }
    }

    private void MakeFaultQueue()
    {
        Add(Kind.FaultQueue, Context.AllocateFaultQueue());
        Open();
    }

    private void MakeViommu()
    {
        BoundDevice device = SomeDevice;
        Node? parent = Some(Kind.Paging, Kind.Auto, Kind.Nested);
        uint type = _dice.OneIn(6) ? 0xDEADU : MockIommu.ViommuType;
        Errno expected = type != MockIommu.ViommuType ? Errno.EOPNOTSUPP
            : parent is null or { Kind: Kind.Nested } ? Errno.ENOENT
            : IsParent(parent) ? Errno.None
            : Errno.EINVAL;
        Viommu? made = null;
        Same(expected, () => made = Context.AllocateViommu(type, device.Device.Id, (parent?.Real as Hwpt)?.Id ?? 0));
        if (made is not null)
        {
            Add(Kind.Viommu, made, parent);
        }
    }

    private void MakeVdevice()
    {
        BoundDevice device = SomeDevice;
        Node? viommu = Some(Kind.Viommu);
        ulong number = _dice.OneIn(6) ? 1UL << 32 : (ulong)_dice.Below(3);
        Errno expected = viommu is null ? Errno.ENOENT
            : viommu.Viommu.Instance != device.Host.Iommu ? Errno.EINVAL
            : device.Vdevice is not null || _devices.Exists(other => other.Vdevice is { Real: Vdevice named } && named.Viommu == viommu.Viommu && named.VirtualId == number) ? Errno.EEXIST
            : number > uint.MaxValue ? Errno.EINVAL
            : Errno.None;
        Vdevice? made = null;
        Same(expected, () => made = Context.AllocateVdevice(viommu?.Viommu.Id ?? 0, device.Device.Id, number));
        if (made is not null)
        {
            Add(Kind.Vdevice, made, viommu);
            device.Vdevice = _nodes[^1];
        }
    }

    private void MakeEventQueue()
    {
        Node? viommu = Some(Kind.Viommu);
        uint type = (uint)_dice.Between(4, 6);
        uint depth = (uint)_dice.Below(4);
        Errno expected = depth == 0 ? Errno.EINVAL
            : viommu is null ? Errno.ENOENT
            : _nodes.Exists(node => node.Real is EventQueue queue && queue.Viommu == viommu.Real && queue.Type == type) ? Errno.EEXIST
            : Errno.None;
        EventQueue? made = null;
        Same(expected, () => made = Context.AllocateEventQueue(viommu?.Viommu.Id ?? 0, type, depth));
        if (made is not null)
        {
            Add(Kind.EventQueue, made, viommu);
            Open();
        }
    }

    private void MakeHardwareQueue()
    {
        Node? viommu = Some(Kind.Viommu);
        uint index = (uint)_dice.Below(3);
        ulong iova = QueueIova + (ulong)_dice.Between(0, (int)QueuePages) * Page;
        Node? Queue(uint number) => _nodes.Find(node => node.Real is HardwareQueue queue && queue.Viommu == viommu?.Real && queue.Index == number);
        Errno expected = viommu is null || iova >= QueueIova + QueuePages * Page ? Errno.ENOENT
            : index > 1 ? Errno.EINVAL
            : Queue(index) is not null ? Errno.EEXIST
            : index == 1 && Queue(0) is null ? Errno.EIO
            : Errno.None;
        HardwareQueue? made = null;
        Same(expected, () => made = Context.AllocateHardwareQueue(viommu?.Viommu.Id ?? 0, MockIommu.QueueType, index, iova, Page));
        if (made is not null)
        {
            Add(Kind.HardwareQueue, made, viommu, index == 1 ? Queue(0) : null);
        }
    }

    private void MapPage()
    {
        Node? viommu = Some(Kind.Viommu);
        ulong offset = (viommu?.Viommu.MmapOffset ?? 0) + (_dice.OneIn(4) ? Page : 0);
        ulong length = _dice.OneIn(4) ? Page : 2 * Page;
        Errno expected = viommu is null || offset != viommu.Viommu.MmapOffset || length != 2 * Page ? Errno.ENXIO : Errno.None;
        ViommuMapping? made = null;
        Same(expected, () => made = Context.Map(offset, length));
        if (made is not null)
        {
            Assert.Equal(0xCAFEUL, made.Read(0, 8));
            Add(Kind.Mapping, made, viommu);
        }
    }

    /// <summary>As long as a hardware queue is, what it stands in cannot be unmapped.</summary>
    private void UnmapQueue()
    {
        bool used = _nodes.Exists(static node => node.Kind == Kind.HardwareQueue);
        Same(used ? Errno.EBUSY : Errno.None, () => _ioas.Unmap(QueueIova, QueuePages * Page));
        if (!used)
        {
            _ioas.Map(IoasMachine.Fixed, IoasMachine.User, QueuePages * Page, QueueIova);
        }
    }

    private void Attach()
    {
        BoundDevice device = SomeDevice;
        uint? pasid = _dice.OneIn(3) ? (uint)_dice.Between(1, 2) : null;
        bool replaces = _dice.OneIn(2);
        Node? target = _dice.OneIn(4) ? null : Some(Kind.Paging, Kind.Auto, Kind.Nested, Kind.Viommu);
        Node? before = device.Attached.GetValueOrDefault(pasid ?? uint.MaxValue);

        // Without a target the IOAS is: then the first HWPT that fits of those that were made so, or a new one.
        bool automatic = target is null;
        target ??= _nodes.Find(static node => node.Kind == Kind.Auto);
        bool takesPasids = target?.Real is Hwpt { Domain.TakesPasids: true };
        bool hasPasids = pasid is not null || device.Attached.Keys.Any(static key => key != uint.MaxValue);
        Errno expected = target is { Kind: Kind.Viommu } ? Errno.EINVAL
            : before is null && replaces ? Errno.EINVAL
            : before is not null && !replaces ? Errno.EBUSY
            : before is not null && before == target ? Errno.None
            : hasPasids && !takesPasids ? Errno.EINVAL
            : pasid is not null && device.Attached.TryGetValue(uint.MaxValue, out Node? below) && !below.Hwpt.Domain.TakesPasids ? Errno.EINVAL
            : target?.NestedOn is { } viommu && (device.Vdevice?.Real as Vdevice)?.Viommu != viommu ? Errno.ENOENT
            : Errno.None;
        uint id = automatic ? _ioas.Id : ((IommufdObject)target!.Real).Id;
        Same(expected, () =>
        {
            if (replaces)
            {
                device.Device.Replace(id, pasid);
            }
            else
            {
                device.Device.Attach(id, pasid);
            }
        });
        if (expected != Errno.None || (before is not null && before == target))
        {
            return;
        }

        if (target is null)
        {
            Add(Kind.Auto, device.Device.AttachedTo(pasid)!);
            target = _nodes[^1];
        }

        target.Users++;
        Leave(device, pasid);
        device.Attached[pasid ?? uint.MaxValue] = target;
    }

    private void Detach()
    {
        BoundDevice device = SomeDevice;
        uint? pasid = _dice.OneIn(3) ? (uint)_dice.Between(1, 2) : null;
        device.Device.Detach(pasid);
        Leave(device, pasid);
    }

    /// <summary>A device goes, with what a VM calls it, and comes back as another.</summary>
    private void Rebind()
    {
        BoundDevice device = SomeDevice;
        Device gone = device.Device;
        gone.Unbind();
        foreach (uint pasid in device.Attached.Keys.ToArray())
        {
            Leave(device, pasid);
        }

        if (device.Vdevice is { } named)
        {
            _buried.Add(((Vdevice)named.Real).Id);
            Remove(named);
            device.Vdevice = null;
        }

        Same(Errno.ENOENT, gone.Unbind);
        Same(Errno.ENOENT, () => gone.Attach(_ioas.Id));
        Same(Errno.ENOENT, () => gone.GetHardwareInfo());
        device.Device = Context.Bind(device.Host);
    }

    /// <summary>Destroys an object, or tries to; or lets its reader go.</summary>
    private void LetGo()
    {
        if (_nodes.Count == 0)
        {
            return;
        }

        Node node = _dice.From(_nodes);
        if (node.Real is ViommuMapping mapping)
        {
            mapping.Dispose();
            mapping.Dispose();
            Assert.Throws<ObjectDisposedException>(() => mapping.Read(0, 8));
            Remove(node);
            return;
        }

        if (node.IsOpen && _dice.OneIn(2))
        {
            (node.Real as EventQueue)?.Close();
            (node.Real as FaultQueue)?.Close();
            node.IsOpen = false;
            node.Users--;
        }

        var real = (IommufdObject)node.Real;
        Same(node.Users == 0 ? Errno.None : Errno.EBUSY, () => Context.Destroy(real.Id));
        if (node.Users == 0)
        {
            Remove(node);
            _devices.FindAll(device => device.Vdevice == node).ForEach(static device => device.Vdevice = null);
            UseAfterwards(real);
        }
    }

    /// <summary>Nothing can be done any more with what is destroyed.</summary>
    private static void UseAfterwards(IommufdObject gone)
    {
        Assert.True(gone.IsDestroyed);
        Same(Errno.ENOENT, () =>
        {
            switch (gone)
            {
                case EventQueue queue:
                    queue.Read(new byte[64]);
                    break;
                case FaultQueue queue:
                    queue.Read(new byte[40]);
                    break;
                case Viommu viommu:
                    viommu.Read(0, 8);
                    break;
                case HwptPaging paging:
                    paging.SetDirtyTracking(true);
                    break;
                default:
                    gone.AddUser();
                    break;
            }
        });
    }

    private static bool IsParent(Node node) => node.Real is HwptPaging { IsAuto: false } paging && (paging.Options & HwptOptions.NestParent) != 0;

    private void Open()
    {
        _nodes[^1].IsOpen = true;
        _nodes[^1].Users++;
    }

    private void Leave(BoundDevice device, uint? pasid)
    {
        if (device.Attached.Remove(pasid ?? uint.MaxValue, out Node? left) && --left.Users == 0 && left.Kind == Kind.Auto)
        {
            Remove(left);
        }
    }
}
