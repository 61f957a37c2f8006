using FastNest.Amd;
using FastNest.Amd.Events;
using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>A machine whose IOMMUs are the host driver's, with a port for each and an IOAS of a process.</summary>
internal sealed class AmdHostMachine : IDisposable
{
    public const uint IommuDevice = 0x0002;

    private readonly IoasMachine _ioas = new();
    private readonly List<TranslationPort> _ports = [];
    private readonly List<AmdHostDevice> _devices = [];
    private readonly List<HostedGuest> _guests = [];
    private readonly List<PagingDomain> _tables = [];
    private readonly List<HardwarePagingDomain> _domains = [];

    public AmdHostMachine(int iommus = 1, IommuFeatures? features = null)
    {
        Driver = new(_ioas.Memory);
        for (int i = 0; i < iommus; i++)
        {
            AmdHostIommu iommu = Driver.AddIommu(
                new()
                {
                    Features = features ?? IommuFeatures.BuiltForGuests,
                    PageResponse = Responses.Add,
                    InvalidateDeviceTlb = invalidation =>
                    {
                        DeviceTlbs.Add(invalidation);
                        DeviceTlbInvalidated?.Invoke();
                        return true;
                    },
                    Viommu = new() { Device = new(IommuDevice), Interrupt = Interrupts.Add },
                },
                Events.Add);
            Iommus.Add(iommu);
            _ports.Add(iommu.Iommu.OpenPort());
        }

        Ioas = _ioas.Context.CreateIoas();
    }

    public AmdHostDriver Driver { get; }

    public List<AmdHostIommu> Iommus { get; } = [];

    public AmdHostIommu Iommu => Iommus[0];

    public GuestPhysicalSpace Memory => _ioas.Memory;

    public IommufdContext Context => _ioas.Context;

    public Ioas Ioas { get; }

    public List<IommuEvent> Events { get; } = [];

    public List<PageResponse> Responses { get; } = [];

    public List<GuestInterrupt> Interrupts { get; } = [];

    public List<DeviceTlbInvalidation> DeviceTlbs { get; } = [];

    /// <summary>Called in the midst of a flush; memory may be looked at.</summary>
    public Action? DeviceTlbInvalidated { get; set; }

    public void Dispose()
    {
        _ports.ForEach(port => port.Dispose());
        _devices.ForEach(device => device.Attach(null, null));
        _guests.ForEach(guest => guest.Dispose());
        _domains.ForEach(domain => domain.Dispose());
        _tables.ForEach(tables => tables.Dispose());
        Assert.All(Iommus, iommu => Assert.Equal(0, iommu.GuestIds.Taken));
        Driver.Dispose();
        Assert.Equal((0, 0), (Driver.DomainIds.Taken, Driver.Pages.Taken));
        _ioas.Dispose();
    }

    public AmdHostDevice AddDevice(uint id, AmdDeviceOptions? options = null, int iommu = 0)
    {
        var device = (AmdHostDevice)Driver.AddDevice(Iommus[iommu], new(id), options);
        _devices.Add(device);
        return device;
    }

    /// <summary>Makes a paging domain over the IOAS, as HWPT_ALLOC does.</summary>
    public AmdPagingDomain NewDomain(HostDevice device, HwptOptions options = HwptOptions.None, Ioas? ioas = null)
    {
        HardwarePagingDomain domain = device.CreatePaging(options, default);
        var tables = new PagingDomain(ioas ?? Ioas, domain.Format, domain);
        domain.Tables = tables;
        tables.Attach();
        _tables.Add(tables);
        _domains.Add(domain);
        return (AmdPagingDomain)domain;
    }

    /// <summary>Makes a VM with memory of its own, whose vIOMMU is on the device's IOMMU.</summary>
    public HostedGuest NewGuest(AmdHostDevice device, HwptOptions options = HwptOptions.None, byte[]? data = null)
    {
        Ioas ioas = Context.CreateIoas();
        ulong memory = 0x100_0000 + (ulong)_guests.Count * HostedGuest.MemorySize;
        Map(0, memory, HostedGuest.MemorySize, ioas);
        var guest = new HostedGuest(this, device, NewDomain(device, options | HwptOptions.NestParent, ioas), ioas, memory, data);
        _guests.Add(guest);
        return guest;
    }

    /// <summary>Maps pages of the process, which has all memory from physical address 0 on.</summary>
    public void Map(ulong iova, ulong physical, ulong length = IoasMachine.Page, Ioas? ioas = null) =>
        (ioas ?? Ioas).Map(IoasMachine.Fixed, IoasMachine.User + physical, length, iova);

    public TranslationResult Translate(uint device, ulong iova, Access access = Access.Read, uint? pasid = null, int iommu = 0) =>
        _ports[iommu].Translate(new Requester(new(device), pasid).Request(iova, access));

    public void Translate(TranslationRequest[] requests) => _ports[0].Translate(requests, new TranslationResult[requests.Length]);

    /// <summary>Where an address leads, or null when it is refused.</summary>
    public ulong? Reach(uint device, ulong iova, Access access = Access.Read, uint? pasid = null, int iommu = 0) =>
        Translate(device, iova, access, pasid, iommu) is { Succeeded: true } result ? result.Address : null;

    public ulong Peek(ulong address)
    {
        Assert.Equal(MemoryStatus.Ok, Memory.Load64(address, out ulong value));
        return value;
    }

    public void Poke(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, Memory.Store64(address, value));

    /// <summary>The four words of a device's entry, as the IOMMU finds them.</summary>
    public ulong[] Entry(uint device, int iommu = 0)
    {
        ulong at = (Iommus[iommu].Iommu.Read(0, 8) & 0xF_FFFF_FFFF_F000) + device * 32;
        return [Peek(at), Peek(at + 8), Peek(at + 16), Peek(at + 24)];
    }
}
