using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>Encodes events as section 7.1 lays them out. TR tells a translation request.</summary>
internal static class Events
{
    private const ulong MasterAbort = 1UL << 57; // reading 15

    public static ReferenceEvent IllegalCommand(ulong spa) => new(Code(ReferenceEventCode.IllegalCommandError), spa);

    public static ReferenceEvent CommandHardwareError(ulong address) =>
        new(Code(ReferenceEventCode.CommandHardwareError) | MasterAbort, address);

    // Here GN says only that there is a PASID. // reading 28
    public static ReferenceEvent IllegalDeviceTableEntry(in TranslationRequest request, bool reservedBit, bool isInterrupt) => new(
        Code(ReferenceEventCode.IllegalDeviceTableEntry)
            | Device(request)
            | Context(request, request.HasPasid, domain: 0)
            | Bits.Put(isInterrupt, 51)
            | Bits.Put(IsWrite(request), 53)
            | Bits.Put(reservedBit, 55)
            | Translation(request),
        request.Iova & ~3UL); // reading 27

    public static ReferenceEvent DeviceTableHardwareError(in TranslationRequest request, ulong spa, bool isInterrupt) => new(
        Code(ReferenceEventCode.DeviceTableHardwareError)
            | Device(request)
            | Bits.Put(isInterrupt, 51)
            | Bits.Put(IsWrite(request), 53)
            | Translation(request)
            | MasterAbort,
        spa);

    // US stands at bit 49 here, one below its place in other events.
    public static ReferenceEvent InvalidDeviceRequest(in TranslationRequest request, ulong type) => new(
        Code(ReferenceEventCode.InvalidDeviceRequest)
            | Device(request)
            | Context(request, request.HasPasid, domain: 0)
            | Bits.Put(request.HasPasid && !request.Privileged, 49)
            | Translation(request)
            | type << 57,
        request.Iova);

    /// <summary>An unreadable table entry of the guest stage, or of the host stage.</summary>
    public static ReferenceEvent PageTableHardwareError(in TranslationRequest request, ulong spa, bool guest, ushort domain, bool write) => new(
        Code(ReferenceEventCode.PageTableHardwareError)
            | Device(request)
            | Context(request, guest, domain)
            | Bits.Put(write, 53)
            | Translation(request)
            | MasterAbort,
        spa);

    /// <summary>An IO_PAGE_FAULT; translation requests never raise one. <paramref name="write"/> and <paramref name="execute"/> are those of the access refused.</summary>
    public static ReferenceEvent IoPageFault(
        in TranslationRequest request, ulong address, PageFault fault, bool guest, ushort domain, bool write, bool execute, bool isInterrupt = false) => new(
        Code(ReferenceEventCode.IoPageFault)
            | Device(request)
            | Context(request, guest, domain)
            | Bits.Put(execute, 49)                                    // reading 26
            | Bits.Put(request.HasPasid && !request.Privileged, 50)    // reading 26
            | Bits.Put(isInterrupt, 51)
            | Bits.Put(fault != PageFault.NotPresent, 52)
            | Bits.Put(write, 53)                                      // reading 3
            | Bits.Put(fault == PageFault.Permission, 54)
            | Bits.Put(fault == PageFault.ReservedBit, 55),
        address);

    public static bool IsWrite(in TranslationRequest request) => (request.Access & Access.Write) != 0;

    public static bool IsExecute(in TranslationRequest request) => (request.Access & Access.Execute) != 0;

    private static ulong Code(ReferenceEventCode code) => (ulong)code << 60;

    private static ulong Translation(in TranslationRequest request) => Bits.Put(request.Kind == RequestKind.Translation, 56);

    private static ulong Device(in TranslationRequest request) => (ushort)request.Device.Value;

    // reading 28
    private static ulong Context(in TranslationRequest request, bool guest, ushort domain) => guest
        ? Bits.Bit(48) | Bits.Field(request.Pasid, 15, 0) << 32 | Bits.Field(request.Pasid, 19, 16) << 16
        : (ulong)domain << 32;
}

/// <summary>What is wrong, as the flags of an IO_PAGE_FAULT tell it (section 5.3).</summary>
internal enum PageFault
{
    /// <summary>PR=0.</summary>
    NotPresent,

    /// <summary>PR=1, PE=1.</summary>
    Permission,

    /// <summary>PR=1, RZ=1.</summary>
    ReservedBit,

    /// <summary>PR=1 alone: level, page size or skipped bits.</summary>
    Encoding,
}
