using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd;

/// <summary>A queue in a VM's memory that hardware reads or writes without the host.</summary>
public sealed class HardwareQueue : IommufdObject
{
    private const ulong PageSize = PageSource.PageSize;

    private readonly IDisposable _hardware;
    private readonly IoasAccess? _pins;
    private readonly HardwareQueue? _previous;

    /// <exception cref="IommufdException">As <see cref="IommufdContext.AllocateHardwareQueue"/>. Nothing is left behind.</exception>
    internal HardwareQueue(Viommu viommu, uint type, uint index, ulong address, ulong length)
        : base(viommu.Context)
    {
        Viommu = viommu;
        Type = type;
        Index = index;
        ulong place = address;
        viommu.AddUser();
        try
        {
            if (viommu.Hardware.QueueMemoryOf(type) == QueueMemory.Physical)
            {
                _pins = Pin(viommu, address, length, out place);
            }

            lock (viommu.Queueing)
            {
                _previous = Before(viommu, type, index);
                _hardware = viommu.Hardware.CreateQueue(type, index, place, length);
                viommu.Add(this);
            }
        }
        catch
        {
            _pins?.Destroy();
            _previous?.ReleaseUser();
            viommu.ReleaseUser();
            throw;
        }
    }

    /// <summary>Whose queue it is.</summary>
    public Viommu Viommu { get; }

    /// <summary>The driver's type of queue.</summary>
    public uint Type { get; }

    /// <summary>Its number among the vIOMMU's queues of this type.</summary>
    public uint Index { get; }

    private protected override void OnDestroyed()
    {
        Viommu.Remove(this);
        _hardware.Dispose();
        _pins?.Destroy();
        _previous?.ReleaseUser();
        Viommu.ReleaseUser();
    }

    /// <summary>The queue that must not go before this one, as long as there is one; the driver judges whether there must be.</summary>
    private static HardwareQueue? Before(Viommu viommu, uint type, uint index)
    {
        HardwareQueue? previous = index != 0 && viommu.Hardware.OrdersQueues(type) ? viommu.FindQueue(type, index - 1) : null;
        previous?.AddUser();
        return previous;
    }

    /// <summary>Keeps the pages where they are, for as long as the access is: the mapping cannot be taken out either.</summary>
    private static IoasAccess Pin(Viommu viommu, ulong address, ulong length, out ulong physical)
    {
        ulong first = address / PageSize * PageSize;
        ulong last = (address + (length - 1)) / PageSize * PageSize;
        ulong size = last - first + PageSize;
        IommufdContext context = viommu.Context;
        IoasAccess access = context.Objects.Add(new IoasAccess(context, pinsPages: true, unmapped: null, locks: true));
        try
        {
            access.Attach(viommu.Parent.Ioas);
            ulong[] pages = new ulong[size / PageSize];
            access.Pin(first, size, pages, write: false);
            for (int i = 1; i < pages.Length; i++)
            {
                if (pages[i] != pages[0] + (ulong)i * PageSize)
                {
                    throw new IommufdException(Errno.EFAULT, "nesting_parent_iova", address, "its pages are not in one piece of memory");
                }
            }

            physical = pages[0] + (address - first);
            return access;
        }
        catch
        {
            access.Destroy();
            throw;
        }
    }
}
