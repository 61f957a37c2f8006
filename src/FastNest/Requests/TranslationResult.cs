using System.Runtime.InteropServices;

namespace FastNest.Requests;

/// <summary>
/// The answer to one request: an output address with its page size and permissions, or a fault. Sixteen bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct TranslationResult
{
    private TranslationResult(
        ulong address, FaultReason reason, TranslationStage stage, int pageShift, Access permissions, Access attempted, bool isMessage, ushort domain)
    {
        Attempted = attempted;
        Address = address;
        Reason = reason;
        Stage = stage;
        PageShift = (byte)pageShift;
        Permissions = permissions;
        IsMessage = isMessage;
        Domain = domain;
    }

    /// <summary>
    /// The output address of the first byte asked for; on a fault, the address that the fault is about: the device
    /// address, the guest physical address for a fault of the second stage in a nested walk, or the system physical
    /// address of an unreadable entry.
    /// </summary>
    public ulong Address { get; }

    /// <summary>Why the request was refused, or <see cref="FaultReason.None"/>.</summary>
    public FaultReason Reason { get; }

    /// <summary>The stage at fault.</summary>
    public TranslationStage Stage { get; }

    /// <summary>
    /// log2 of the naturally aligned region around the device address that this answer holds for, 12 to 64.
    /// </summary>
    public byte PageShift { get; }

    /// <summary>What the translation permits, of which the access asked for is a part.</summary>
    public Access Permissions { get; }

    /// <summary>
    /// On a fault, the access that failed: the request's own, or a read (for an update of Accessed and Dirty bits a write)
    /// of a guest table that the second stage refused.
    /// </summary>
    public Access Attempted { get; }

    /// <summary>Whether this is a write to the interrupt window: a message, not a memory access.</summary>
    public bool IsMessage { get; }

    /// <summary>The domain whose tables were used; 0 where there was none.</summary>
    public ushort Domain { get; }

    /// <summary>Whether the access may go on to <see cref="Address"/>.</summary>
    public bool Succeeded => Reason == FaultReason.None;

    /// <summary>Makes the answer of a permitted access.</summary>
    /// <param name="address">The output address.</param>
    /// <param name="pageShift">12 to 64.</param>
    /// <param name="permissions">What is permitted.</param>
    /// <param name="domain">The domain used.</param>
    public static TranslationResult Success(ulong address, int pageShift, Access permissions, ushort domain) =>
        new(address, FaultReason.None, TranslationStage.None, pageShift, permissions, Access.None, false, domain);

    /// <summary>Makes the answer of a write to the interrupt window.</summary>
    /// <param name="address">The message's address, unchanged.</param>
    public static TranslationResult Message(ulong address) =>
        new(address, FaultReason.None, TranslationStage.None, 12, Access.Write, Access.None, true, 0);

    /// <summary>Makes a refusal.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="address">The address that the fault is about.</param>
    /// <param name="attempted">The access that failed.</param>
    /// <param name="stage">The stage at fault.</param>
    /// <param name="domain">The domain used, 0 where there was none.</param>
    public static TranslationResult Fault(
        FaultReason reason, ulong address, Access attempted, TranslationStage stage = TranslationStage.None, ushort domain = 0) =>
        new(address, reason, stage, 0, Access.None, attempted, false, domain);
}
