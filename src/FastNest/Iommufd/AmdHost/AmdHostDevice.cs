using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Amd.Registers;
using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>A device of the host behind an AMD IOMMU.</summary>
internal sealed class AmdHostDevice : HostDevice
{
    private const uint InformationType = 4;
    private const int PageResponseSuccess = 0;
    private const int PageResponseInvalid = 1;

    // What Linux keeps free on AMD: messages, and the HyperTransport range unless it is told to be ordinary.
    private static readonly IovaRange MessageWindow = new(0xFEE0_0000, 0xFEEF_FFFF);
    private static readonly IovaRange HyperTransport = new(0xFD_0000_0000, 0xFF_FFFF_FFFF);

    private readonly Lock _gate = new();
    private readonly AmdHostDriver _driver;
    private readonly AmdHostIommu _iommu;
    private readonly AmdDeviceOptions _options;

    public AmdHostDevice(AmdHostDriver driver, AmdHostIommu iommu, DeviceEntry entry, AmdDeviceOptions options)
        : base(entry.Id)
    {
        _driver = driver;
        _iommu = iommu;
        _options = options;
        Entry = entry;
        entry.Device = this;
        IommuFeatures features = iommu.Iommu.Features;
        ReservedRanges = features.Has(ExtendedFeature.HTRangeIgnore) ? [MessageWindow] : [MessageWindow, HyperTransport];
        PasidBits = features.Has(ExtendedFeature.GTSup) ? Math.Min(options.PasidBits, 1 + (int)features.Get(ExtendedFeature.PASmax)) : 0;
    }

    public DeviceEntry Entry { get; }

    internal override object Instance => _iommu;

    internal override bool TracksDirty => _iommu.Iommu.Features.Has(ExtendedFeature.HASup) && _iommu.Iommu.Features.Has(ExtendedFeature.HDSup);

    internal override bool TakesPageResponses => _options.PageRequests;

    internal override int PasidBits { get; }

    internal override IReadOnlyList<IovaRange> ReservedRanges { get; }

    /// <summary>struct iommu_hw_info_amd: the two feature registers, as far as a guest may be offered them.</summary>
    internal override (uint Type, byte[] Data) Information
    {
        get
        {
            IommuFeatures offered = _iommu.Iommu.Features.ForGuests();
            byte[] data = new byte[2 * sizeof(ulong)];
            BinaryPrimitives.WriteUInt64LittleEndian(data, offered.ExtendedFeatures);
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(sizeof(ulong)), offered.ExtendedFeatures2);
            return (InformationType, data);
        }
    }

    /// <summary>PASIDs would need tables of the guest's format, which the host does not write for itself.</summary>
    internal override HardwarePagingDomain CreatePaging(HwptOptions options, DriverData data)
    {
        const HwptOptions known = HwptOptions.NestParent | HwptOptions.DirtyTracking | HwptOptions.FaultIdValid;
        if ((options & ~known) != 0 || ((options & HwptOptions.DirtyTracking) != 0 && !TracksDirty))
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", (uint)options, $"must be of {(uint)known}, dirty tracking where the IOMMU marks");
        }

        return data.Type == 0
            ? new AmdPagingDomain(_driver) { DemandsDirtyTracking = (options & HwptOptions.DirtyTracking) != 0 }
            : throw new IommufdException(Errno.EOPNOTSUPP, "data_type", data.Type, "must be 0 for a paging HWPT");
    }

    internal override HardwareDomain CreateNested(HardwarePagingDomain parent, HwptOptions options, DriverData data) =>
        throw new IommufdException(Errno.EOPNOTSUPP, "pt_id", data.Type, "a nested HWPT is made on a vIOMMU");

    internal override bool OffersViommu(uint type) => type == AmdViommu.Type && _iommu.ServesGuests;

    internal override HardwareViommu CreateViommu(uint type, HardwarePagingDomain parent, Memory<byte> data)
    {
        if (!OffersViommu(type))
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "type", type, $"must be {AmdViommu.Type}, on an IOMMU that serves guests");
        }

        return parent is AmdPagingDomain tables
            ? new AmdViommu(_driver, _iommu, tables, data)
            : throw new IommufdException(Errno.EINVAL, "hwpt_id", Id.Value, "the nest parent is not of the device's driver");
    }

    internal override void Attach(uint? pasid, HardwareDomain? domain)
    {
        if (pasid is { } number)
        {
            throw new IommufdException(Errno.EINVAL, "pasid", number, "only a guest's own tables have PASIDs");
        }

        lock (_gate)
        {
            Attachment? next = domain is null ? null : MakeAttachment(domain);
            Attachment? last = Entry.Attachment;
            next?.Domain.Join(next);
            Entry.Set(next);
            last?.Domain.Leave(last);
        }
    }

    internal override void Respond(uint? pasid, int group, bool success) => _iommu.Commands.Execute(
        HostCommand.CompletePageRequest(Id, pasid, group, success ? PageResponseSuccess : PageResponseInvalid));

    private Attachment MakeAttachment(HardwareDomain domain) => domain switch
    {
        AmdPagingDomain { DemandsDirtyTracking: true } when !TracksDirty =>
            throw new IommufdException(Errno.EINVAL, "hwpt_id", Id.Value, "the device's IOMMU does not mark what is written"),
        AmdPagingDomain paging => new Attachment(Entry, paging),
        AmdNestedDomain nested when nested.Viommu.Iommu != _iommu =>
            throw new IommufdException(Errno.EINVAL, "hwpt_id", Id.Value, "the HWPT is on another IOMMU"),
        AmdNestedDomain { Guest.Translates: true } nested when nested.Viommu.FindDevice(Entry) is null =>
            throw new IommufdException(Errno.ENOENT, "dev_id", Id.Value, "the VM has no number for the device"),
        AmdNestedDomain nested => new NestedAttachment(Entry, nested),
        _ => throw new IommufdException(Errno.EINVAL, "hwpt_id", Id.Value, "the HWPT is not of the device's driver"),
    };
}
