using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// Everything that the engine knows of a device, or of one PASID of a device, resolved by its front end from the
/// architecture's own structures. This is the seam between the two: below it nothing knows a vendor.
/// </summary>
internal struct TranslationContext
{
    /// <summary>What batches need of all this, beside the cache's key; set when the engine has resolved the rest.</summary>
    public LaneContext Lanes;

    public GuestSpace Guest;
    public HostSpace Host;

    /// <summary>Why every request is refused, where the address is not the request's own; else without a reason.</summary>
    public WalkFault Fault;

    public ContextMode Mode;

    /// <summary>Why every request is refused.</summary>
    public FaultReason Reason;

    public MessagePolicy Messages;

    /// <summary>Why messages are refused.</summary>
    public FaultReason MessageReason;

    public FaultPolicy Faults;

    /// <summary>Whether the exclusion range holds for this device.</summary>
    public bool Excludable;

    /// <summary>Whether the device may send ATS requests.</summary>
    public bool AllowsAts;

    /// <summary>What the front end noted for its own reports; the engine does not look at it.</summary>
    public ulong Note;

    /// <summary>The domain whose tables are used.</summary>
    public ushort Domain;

    public static TranslationContext Refused(FaultReason reason) => new() { Mode = ContextMode.Refused, Reason = reason };

    /// <summary>Whether the device's own entry is missing or illegal, which nothing else comes before.</summary>
    public readonly bool IsMalformed => Reason is FaultReason.ContextUnreadable or FaultReason.DeviceOutOfRange
        or FaultReason.ContextReservedBit or FaultReason.ContextEncoding;

    /// <summary>Whether the refusal lies in the device's own entry, which is cached; not in tables, which may change.</summary>
    public readonly bool IsKeepable => Mode != ContextMode.Refused || Fault.Reason == FaultReason.None;
}
