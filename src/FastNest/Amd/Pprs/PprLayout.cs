using FastNest.Amd.Events;
using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Pprs;

/// <summary>The fields of a PPR log entry, 128 bits (digest section 7.2); an INVALID_PPR_REQUEST event has the same.</summary>
internal static class PprLayout
{
    public static readonly BitField DeviceID = Bits(15, 0);
    public static readonly BitField Pasid15To0 = Bits(31, 16);
    public static readonly BitField Group = Bits(40, 32);
    public static readonly BitField Last = Bit(41);
    public static readonly BitField Pasid19To16 = Bits(45, 42);
    public static readonly BitField Execute = Bit(49);
    public static readonly BitField Read = Bit(50);
    public static readonly BitField Write = Bit(53);
    public static readonly BitField User = Bit(54);
    public static readonly BitField Rz = Bit(55);
    public static readonly BitField GN = Bit(56);
    public static readonly BitField Code = Bits(63, 60);
    public static readonly BitField Address = Bits(127, 76);

    public static readonly BitLayout Layout = new(
        "PPR log entry", 2, DeviceID, Pasid15To0, Group, Last, Pasid19To16, Execute, Read, Write, User, Rz, GN, Code, Address);

    /// <summary>PAGE_SERVICE_REQUEST.</summary>
    public const ulong PageServiceRequest = 1;

    /// <summary>The event for a request that may not be made (reading 85).</summary>
    public static IommuEvent Invalid(in PageRequest request) =>
        new(Word0(in request, (ulong)EventCode.InvalidPprRequest), Address.InPlace(request.Address));

    /// <summary>The first quadword of a request, with a code of the log's own.</summary>
    public static ulong Word0(in PageRequest request, ulong code)
    {
        uint pasid = request.Pasid ?? 0;
        ulong word = Code.Of(code) | DeviceID.Of(request.Device.Value) | Pasid15To0.Of(pasid) | Pasid19To16.Of(pasid >> 16)
            | Group.Of((ulong)request.Group) | Last.Of(request.Last ? 1UL : 0);
        word |= (request.Access & Requests.Access.Execute) != 0 ? Execute.Mask : 0;
        word |= (request.Access & Requests.Access.Read) != 0 ? Read.Mask : 0;
        word |= (request.Access & Requests.Access.Write) != 0 ? Write.Mask : 0;
        word |= request.Pasid.HasValue ? GN.Mask | (request.Privileged ? 0 : User.Mask) : 0;
        return word;
    }
}
