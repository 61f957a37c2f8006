using FastNest.Layouts;
using static FastNest.Layouts.BitField;

namespace FastNest.Amd.Viommu;

/// <summary>The fields that events about guests have beside those of others (digest section 7.1).</summary>
internal static class ViommuEventLayout
{
    /// <summary>VIOMMU_HARDWARE_ERROR.</summary>
    public static readonly BitField GuestID = Bits(15, 0);

    /// <summary>VIOMMU_HARDWARE_ERROR: what could not be reached (reading 99).</summary>
    public static readonly BitField Source = Bits(17, 16);

    /// <summary>GUEST_EVENT_FAULT.</summary>
    public static readonly BitField GuestIDAt32 = Bits(47, 32);

    /// <summary>GUEST_EVENT_FAULT: it was the PPR log (reading 98).</summary>
    public static readonly BitField IsPpr = Bit(48);

    /// <summary>vflags: an event on behalf of a guest, or one for its logs.</summary>
    public static readonly BitField VEvent = Bit(29);

    /// <summary>vflags: an address that a command or the host gave.</summary>
    public static readonly BitField VPtr = Bit(30);

    /// <summary>vflags: a guest's command.</summary>
    public static readonly BitField VCmd = Bit(31);
}
