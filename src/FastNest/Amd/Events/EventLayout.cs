using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Events;

/// <summary>The fields of an event log entry, 128 bits (48882 section 2.5). Which of them an event has depends on its code.</summary>
internal static class EventLayout
{
    public static readonly BitField DeviceID = Bits(15, 0);
    public static readonly BitField Pasid19To16 = Bits(19, 16);
    public static readonly BitField VFlags = Bits(31, 27);

    /// <summary>The DomainID, or with GN the low bits of the PASID.</summary>
    public static readonly BitField DomainID = Bits(47, 32);
    public static readonly BitField GN = Bit(48);
    public static readonly BitField NX = Bit(49);
    public static readonly BitField US = Bit(50);

    /// <summary>INVALID_DEVICE_REQUEST: a user request, one bit below its place in other events.</summary>
    public static readonly BitField RequestUS = Bit(49);
    public static readonly BitField I = Bit(51);
    public static readonly BitField PR = Bit(52);
    public static readonly BitField RW = Bit(53);
    public static readonly BitField PE = Bit(54);
    public static readonly BitField RZ = Bit(55);
    public static readonly BitField TR = Bit(56);

    /// <summary>Hardware errors: 1 master abort, 2 target abort, 3 data error.</summary>
    public static readonly BitField HardwareType = Bits(58, 57);

    /// <summary>INVALID_DEVICE_REQUEST: what was invalid.</summary>
    public static readonly BitField RequestType = Bits(59, 57);
    public static readonly BitField Code = Bits(63, 60);
    public static readonly BitField Address = Bits(127, 64);

    /// <summary>The address of an illegal device table entry's request; the two lowest bits are reserved.</summary>
    public static readonly BitField Address127To66 = Bits(127, 66);

    /// <summary>An I/O page fault, the event that has the most of these fields.</summary>
    public static readonly BitLayout IoPageFault = new(
        "IO_PAGE_FAULT", 2, DeviceID, Pasid19To16, VFlags, DomainID, GN, NX, US, I, PR, RW, PE, RZ, TR, Code, Address);
}
