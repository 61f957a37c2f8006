using FastNest.Amd.Viommu;
using FastNest.Cli.Replays;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Cli.Vms;

/// <summary>The machine on which VMs run: memory, one IOMMU under the host's driver, and the process that has the VMs' memory.</summary>
internal sealed class VmHost : IDisposable
{
    /// <summary>Where the process has the machine's physical address 0.</summary>
    public const ulong User = 0x7000_0000_0000;

    private const uint FirstDevice = 0x100;

    private readonly AmdHostDriver _driver;
    private readonly ulong _fixedEnd;
    private ulong _nextFixed;
    private uint _nextDevice = FirstDevice;
    private long _events;

    /// <param name="places">How many places there are for what may move.</param>
    /// <param name="fixedLength">Bytes of all that stays where it is.</param>
    public VmHost(int places, ulong fixedLength)
    {
        _fixedEnd = (fixedLength + (HostPlaces.Length - 1)) & ~(HostPlaces.Length - 1);
        ulong length = _fixedEnd + (ulong)places * HostPlaces.Length;
        Memory.AddOwned(0, length);
        Places = new(Memory, _fixedEnd, places);
        _driver = new(Memory);
        Iommu = _driver.AddIommu(events: _ => Interlocked.Increment(ref _events));
        var process = new UserAddressSpace(Memory);
        process.Map(User, 0, length);
        Context = new(Memory, process);
    }

    public GuestPhysicalSpace Memory { get; } = new();

    /// <summary>Memory for what the host may move.</summary>
    public HostPlaces Places { get; }

    public AmdHostIommu Iommu { get; }

    public IommufdContext Context { get; }

    /// <summary>What executes the VMs' commands.</summary>
    public ViommuHardware Hardware => Iommu.Iommu.Viommu!;

    /// <summary>Events of the host's log that no VM was told of.</summary>
    public long Events => Interlocked.Read(ref _events);

    /// <summary>Bytes that a VM needs of what stays where it is.</summary>
    public static ulong FixedLength(IReadOnlyList<DriverRun> rings) =>
        VmLayout.FixedLength + rings.Aggregate(0UL, (sum, run) => sum + run.Length);

    /// <summary>Adds a device to the machine.</summary>
    public HostDevice AddDevice() => _driver.AddDevice(Iommu, new DeviceId(_nextDevice++));

    /// <summary>Takes memory that stays where it is.</summary>
    public ulong TakeFixed(ulong length)
    {
        ulong start = _nextFixed;
        _nextFixed += length;
        return _nextFixed <= _fixedEnd ? start : throw new InvalidOperationException("more than was asked for");
    }

    public void Dispose()
    {
        Context.Dispose();
        _driver.Dispose();
        Memory.Dispose();
    }
}
