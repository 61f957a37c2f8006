using System.Runtime.InteropServices;

namespace FastNest.Requests;

/// <summary>
/// The answer to one request: an output address with its page size and permissions, or a fault. Sixteen bytes.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct TranslationResult
{
    private const int ShiftPlace = 4;
    private const int PermissionsMask = (int)Access.All;

    private readonly ulong _address;

    /// <summary>Permissions and, above them, log2 of the page's size, as caches have them: an answer from a cache is its page, masked.</summary>
    private readonly ushort _page;
    private readonly FaultReason _reason;
    private readonly TranslationStage _stage;
    private readonly Access _attempted;
    private readonly bool _isMessage;
    private readonly ushort _domain;

    private TranslationResult(
        ulong address, FaultReason reason, TranslationStage stage, int pageShift, Access permissions, Access attempted, bool isMessage, ushort domain)
    {
        _address = address;
        _page = (ushort)(pageShift << ShiftPlace | (int)permissions);
        _reason = reason;
        _stage = stage;
        _attempted = attempted;
        _isMessage = isMessage;
        _domain = domain;
    }

    /// <summary>
    /// The output address of the first byte asked for; on a fault, the address that the fault is about: the device
    /// address, the guest physical address for a fault of the second stage in a nested walk, or the system physical
    /// address of an unreadable entry.
    /// </summary>
    public ulong Address => _address;

    /// <summary>Why the request was refused, or <see cref="FaultReason.None"/>.</summary>
    public FaultReason Reason => _reason;

    /// <summary>The stage at fault.</summary>
    public TranslationStage Stage => _stage;

    /// <summary>
    /// log2 of the naturally aligned region around the device address that this answer holds for, 12 to 64.
    /// </summary>
    public byte PageShift => (byte)(_page >> ShiftPlace);

    /// <summary>What the translation permits, of which the access asked for is a part.</summary>
    public Access Permissions => (Access)(_page & PermissionsMask);

    /// <summary>
    /// On a fault, the access that failed: the request's own, or a read (for an update of Accessed and Dirty bits a write)
    /// of a guest table that the second stage refused.
    /// </summary>
    public Access Attempted => _attempted;

    /// <summary>Whether this is a write to the interrupt window: a message, not a memory access.</summary>
    public bool IsMessage => _isMessage;

    /// <summary>The domain whose tables were used; 0 where there was none.</summary>
    public ushort Domain => _domain;

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
