using FastNest.Requests;

namespace FastNest.Amd.Events;

/// <summary>Which event a refused request gives, flag by flag (digest sections 5.2 and 5.3).</summary>
internal static class FaultEvents
{
    public const ulong MasterAbort = 1;

    private const ulong WindowRead = 0;
    private const ulong TranslatedForbidden = 1;
    private const ulong WindowWriteBlocked = 4;
    private const ulong TranslationForbidden = 5;

    /// <param name="request">What was asked.</param>
    /// <param name="fault">The refusal.</param>
    /// <param name="isMessage">Whether the request was an interrupt message.</param>
    public static IommuEvent Of(in TranslationRequest request, in TranslationResult fault, bool isMessage)
    {
        if (request.Kind == RequestKind.Translation && !IsLogged(fault.Reason))
        {
            return default;
        }

        ulong common = EventLayout.DeviceID.Of(request.Device.Value) | EventLayout.I.Of(isMessage ? 1UL : 0)
            | ((fault.Attempted & Access.Write) != 0 ? EventLayout.RW.Mask : 0) | Transaction(in request);
        return fault.Reason switch
        {
            FaultReason.ContextUnreadable => new(
                common | Code(EventCode.DevTabHardwareError) | EventLayout.HardwareType.Of(MasterAbort), fault.Address),
            FaultReason.ContextReservedBit => new(
                common | Code(EventCode.IllegalDevTableEntry) | EventLayout.RZ.Mask | Pasid(in request),
                EventLayout.Address127To66.InPlace(fault.Address)),
            FaultReason.ContextEncoding => new(
                common | Code(EventCode.IllegalDevTableEntry) | Pasid(in request),
                EventLayout.Address127To66.InPlace(fault.Address)),
            FaultReason.TableUnreadable => new(
                common | Code(EventCode.PageTabHardwareError) | EventLayout.HardwareType.Of(MasterAbort) | Owner(in request, in fault),
                fault.Address),
            FaultReason.MessageWindowRead => InvalidRequest(in request, in fault, WindowRead),
            FaultReason.AtsForbidden => InvalidRequest(
                in request, in fault, request.Kind == RequestKind.Translated ? TranslatedForbidden : TranslationForbidden),
            FaultReason.MessageBlocked => InvalidRequest(in request, in fault, WindowWriteBlocked),
            _ => PageFault(common, in request, in fault),
        };
    }

    /// <summary>A device that asks for a translation is told of a page fault, and nobody else is (digest section 5.2).</summary>
    private static bool IsLogged(FaultReason reason) => reason is FaultReason.ContextUnreadable or FaultReason.ContextReservedBit
        or FaultReason.ContextEncoding or FaultReason.TableUnreadable or FaultReason.AtsForbidden;

    private static ulong Transaction(in TranslationRequest request) =>
        request.Kind == RequestKind.Translation ? EventLayout.TR.Mask : 0;

    private static IommuEvent PageFault(ulong common, in TranslationRequest request, in TranslationResult fault)
    {
        ulong flags = fault.Reason switch
        {
            FaultReason.PermissionDenied => EventLayout.PR.Mask | EventLayout.PE.Mask,
            FaultReason.ReservedBit => EventLayout.PR.Mask | EventLayout.RZ.Mask,
            FaultReason.InvalidLevel or FaultReason.InvalidPageSize or FaultReason.SkippedBits => EventLayout.PR.Mask,
            _ => 0, // Readings 1, 2, 17, 18, and whatever is not present.
        };
        flags |= (fault.Attempted & Access.Execute) != 0 ? EventLayout.NX.Mask : 0;
        flags |= request.HasPasid && !request.Privileged ? EventLayout.US.Mask : 0;
        return new(common | flags | Code(EventCode.IoPageFault) | Owner(in request, in fault), fault.Address);
    }

    private static IommuEvent InvalidRequest(in TranslationRequest request, in TranslationResult fault, ulong type) => new(
        Code(EventCode.InvalidDeviceRequest) | EventLayout.DeviceID.Of(request.Device.Value) | EventLayout.RequestType.Of(type)
            | Transaction(in request)
            | Pasid(in request)
            | (request.HasPasid && !request.Privileged ? EventLayout.RequestUS.Mask : 0),
        fault.Address);

    /// <summary>Reading 28: the domain, or for the guest's stage the PASID.</summary>
    private static ulong Owner(in TranslationRequest request, in TranslationResult fault) => fault.Stage == TranslationStage.Guest
        ? EventLayout.GN.Mask | PasidFields(request.Pasid)
        : EventLayout.DomainID.Of(fault.Domain);

    private static ulong Pasid(in TranslationRequest request) =>
        request.HasPasid ? EventLayout.GN.Mask | PasidFields(request.Pasid) : 0;

    private static ulong PasidFields(uint pasid) => EventLayout.DomainID.Of(pasid) | EventLayout.Pasid19To16.Of(pasid >> 16);

    private static ulong Code(EventCode code) => EventLayout.Code.Of((ulong)code);
}
