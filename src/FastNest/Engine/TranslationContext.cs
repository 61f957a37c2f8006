using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>How the requests of a device are treated.</summary>
internal enum ContextMode : byte
{
    /// <summary>Refused, for the reason in the context.</summary>
    Refused,

    /// <summary>Passed on untranslated and unchecked.</summary>
    PassThrough,

    /// <summary>Translated by the host stage; with no levels, addresses stay as they are.</summary>
    Host,
}

/// <summary>What becomes of a device's interrupt messages.</summary>
internal enum MessagePolicy : byte
{
    /// <summary>They pass.</summary>
    Forward,

    /// <summary>They are refused.</summary>
    Block,

    /// <summary>The context entry is malformed in the part that governs them.</summary>
    Malformed,
}

/// <summary>Which of a device's faults are reported.</summary>
internal enum FaultPolicy : byte
{
    /// <summary>Every one.</summary>
    ReportAll,

    /// <summary>The first, until the context is invalidated.</summary>
    ReportFirst,

    /// <summary>None.</summary>
    ReportNone,
}

/// <summary>
/// Everything that the engine knows of a device, resolved by its front end from the architecture's own structures. This is
/// the seam between the two: below it nothing knows a vendor.
/// </summary>
internal struct TranslationContext
{
    /// <summary>The physical address of the host stage's top table.</summary>
    public ulong HostRoot;

    /// <summary>On <see cref="ContextMode.Refused"/> for an unreadable entry, that entry's physical address.</summary>
    public ulong FaultAddress;

    /// <summary>The domain that tags what is cached from this context's tables.</summary>
    public ushort Domain;

    /// <summary>The level of the host stage's top table; 0 when the stage leaves addresses as they are.</summary>
    public byte HostLevels;

    public ContextMode Mode;

    /// <summary>Why every request is refused.</summary>
    public FaultReason Reason;

    /// <summary>What the context itself permits.</summary>
    public Access Permissions;

    public MessagePolicy Messages;

    /// <summary>Why messages are refused.</summary>
    public FaultReason MessageReason;

    public FaultPolicy Faults;

    /// <summary>Whether the exclusion range holds for this device.</summary>
    public bool Excludable;

    public static TranslationContext Refused(FaultReason reason, ulong address = 0) =>
        new() { Mode = ContextMode.Refused, Reason = reason, FaultAddress = address, Messages = MessagePolicy.Forward };
}
