using FastNest.Reference.Registers;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.Rings;

/// <summary>Takes the page requests of devices (readings 80 to 85).</summary>
internal sealed class PageService(
    IReferenceMemory memory, RegisterFile registers, EventLog events, PprLog log, List<ReferencePageResponse> responses)
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

        // reading 83
        bool running = log.Running;
        if (control.PprAutoRspEn && (!running || control.PprAutoRspAon))
        {
            if (!request.Last)
                return ReferencePageOutcome.Lost;
            int code = (int)Bits.Field(registers.Get(AutoResponse), 3, 0);
            responses.Add(new(request.Device, request.Pasid, request.Group, code));
            return ReferencePageOutcome.Answered;
        }

        return running && log.TryAdd(Entry(1, request), Page(request)) ? ReferencePageOutcome.Logged : ReferencePageOutcome.Lost;
    }

    // reading 80
    private ReferenceEvent? WhyRefused(in ReferencePageRequest request)
    {
        ReferenceEvent invalid = new(Entry((ulong)ReferenceEventCode.InvalidPprRequest, request), Page(request)); // reading 85
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
