using FastNest.Reference.Registers;
using FastNest.Reference.Viommu;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.Rings;

/// <summary>Takes the page requests of devices (readings 80 to 85).</summary>
internal sealed class PageService(
    IReferenceMemory memory, RegisterFile registers, EventLog events, PprLog log, List<ReferencePageResponse> responses,
    GuestService? guests)
{
    private const ulong AutoResponse = 0x2080;

    public ReferencePageOutcome Take(in ReferencePageRequest request)
    {
        Control control = registers.Control;
        if (!control.IommuEn)
            return ReferencePageOutcome.Dropped;
        if (WhyRefused(request) is ReferenceEvent refused)
        {
            events.Report(refused);
            return ReferencePageOutcome.Refused;
        }

        // reading 105
        if (guests is not null && guests.Owns(new(DeviceFetch.Read(memory, registers, request.Device).Raw!), out Guest? guest, out ushort named))
            return guest is null ? ReferencePageOutcome.Lost : TakeForGuest(request, guest, named);
        int code = (int)Bits.Field(registers.Get(AutoResponse), 3, 0);
        return Take(request, request, control, log, code);
    }

    private ReferencePageOutcome TakeForGuest(in ReferencePageRequest request, Guest guest, ushort named)
    {
        ReferencePageRequest renamed = request with { Device = new(named) };
        if (guest.Control.PprEn)
            return Take(request, renamed, guest.Control, guest.Pprs, guest.AutoResponse);
        guest.Events.Report(Invalid(renamed));
        return ReferencePageOutcome.Refused;
    }

    // reading 83
    private ReferencePageOutcome Take(
        in ReferencePageRequest request, in ReferencePageRequest logged, Control control, PprLog target, int code)
    {
        bool running = target.Running;
        if (control.PprAutoRspEn && (!running || control.PprAutoRspAon))
        {
            if (!request.Last)
                return ReferencePageOutcome.Lost;
            responses.Add(new(request.Device, request.Pasid, request.Group, code));
            return ReferencePageOutcome.Answered;
        }

        return running && target.TryAdd(Entry(1, logged), Page(logged)) ? ReferencePageOutcome.Logged : ReferencePageOutcome.Lost;
    }

    // reading 85
    private static ReferenceEvent Invalid(in ReferencePageRequest request) =>
        new(Entry((ulong)ReferenceEventCode.InvalidPprRequest, request), Page(request));

    // reading 80
    private ReferenceEvent? WhyRefused(in ReferencePageRequest request)
    {
        ReferenceEvent invalid = Invalid(request);
        Features features = registers.Features;
        Control control = registers.Control;
        DeviceFetch fetch = DeviceFetch.Read(memory, registers, request.Device);
        if (!features.PprSup || !control.PprEn || fetch.Spa is not ulong spa)
            return invalid;

        TranslationRequest untranslated = Untranslated(request);
        if (fetch.Raw is null)
            return Events.DeviceTableHardwareError(untranslated, spa, isInterrupt: false);
        DeviceEntry dte = new(fetch.Raw);
        if (!dte.V)
            return invalid;
        if (dte.HasReservedBit(features))
            return Events.IllegalDeviceTableEntry(untranslated, reservedBit: true, isInterrupt: false);
        if (dte.IllegalEncoding(features, dte.GV && control.GTEn) is not null)
            return Events.IllegalDeviceTableEntry(untranslated, reservedBit: false, isInterrupt: false);
        return dte.Ppr ? null : invalid;
    }

    private static TranslationRequest Untranslated(in ReferencePageRequest request) => request.Pasid is uint pasid
        ? new(request.Device, pasid, Page(request), request.Access, request.Privileged)
        : new(request.Device, Page(request), request.Access);

    private static ulong Page(in ReferencePageRequest request) => request.Address & Bits.Mask(63, 12);

    // The layout of section 7.2, flags as reading 81 has them.
    private static ulong Entry(ulong code, in ReferencePageRequest request)
    {
        ulong pasid = request.Pasid ?? 0;
        return code << 60
            | (ushort)request.Device.Value
            | Bits.Field(pasid, 15, 0) << 16
            | (ulong)request.Group << 32
            | Bits.Put(request.Last, 41)
            | Bits.Field(pasid, 19, 16) << 42
            | Bits.Put((request.Access & Access.Execute) != 0, 49)
            | Bits.Put((request.Access & Access.Read) != 0, 50)
            | Bits.Put((request.Access & Access.Write) != 0, 53)
            | Bits.Put(request.Pasid is not null && !request.Privileged, 54)
            | Bits.Put(request.Pasid is not null, 56);
    }
}
