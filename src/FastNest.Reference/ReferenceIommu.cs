using FastNest.Reference.Registers;
using FastNest.Reference.Rings;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>
/// An AMD IOMMU without any cache: every request reads the registers and the tables anew. Slow and plain, for comparison.
/// Not safe for use by several threads.
/// </summary>
public sealed class ReferenceIommu
{
    private readonly IReferenceMemory _memory;
    private readonly RegisterFile _registers;
    private readonly List<ReferenceCommand> _executed = [];
    private readonly List<ReferenceInterrupt> _interrupts = [];
    private readonly List<ReferencePageResponse> _responses = [];
    private readonly FaultSuppression _suppression = new();
    private readonly EventLog _log;
    private readonly PprLog _pprLog;
    private readonly PageService _pages;
    private readonly CommandRing _commands;
    private readonly RegisterFront _front;

    /// <summary>Makes an IOMMU in its reset state.</summary>
    /// <param name="memory">System memory.</param>
    /// <param name="extendedFeatures">The EFR register 0030h: what is offered.</param>
    /// <param name="extendedFeatures2">The EFR2 register 01A0h.</param>
    /// <param name="irtCacheDisSticks">Whether Control.IRTCacheDis (59) can be set.</param>
    /// <param name="gstBufferTrpModeSticks">Whether Control.GstBufferTRPMode (60) can be set.</param>
    public ReferenceIommu(
        IReferenceMemory memory,
        ulong extendedFeatures,
        ulong extendedFeatures2,
        bool irtCacheDisSticks = false,
        bool gstBufferTrpModeSticks = false)
    {
        ArgumentNullException.ThrowIfNull(memory);
        _memory = memory;
        _registers = new(irtCacheDisSticks, gstBufferTrpModeSticks);
        _registers.Set(RegisterMap.ExtendedFeature, extendedFeatures);
        _registers.Set(RegisterMap.ExtendedFeature2, extendedFeatures2);
        RingRegisters commandRing = new(_registers, RegisterMap.CommandBufferBase, RegisterMap.CmdBufHead, RegisterMap.CmdBufTail);
        RingRegisters eventRing = new(_registers, RegisterMap.EventLogBase, RegisterMap.EventLogHead, RegisterMap.EventLogTail);
        _log = new(memory, _registers, eventRing, _interrupts);
        RingRegisters pprRing = new(_registers, RegisterMap.PprLogBase, RegisterMap.PprLogHead, RegisterMap.PprLogTail);
        _pprLog = new(memory, _registers, pprRing, _interrupts);
        _pages = new(memory, _registers, _log, _pprLog, _responses);
        _commands = new(memory, _registers, commandRing, _log, _suppression, _executed, _responses, _interrupts);
        _front = new(_registers, commandRing, eventRing, pprRing, _commands, _log, _pprLog);
    }

    /// <summary>The commands executed so far, in order.</summary>
    public IReadOnlyList<ReferenceCommand> ExecutedCommands => _executed;

    /// <summary>The interrupts signalled so far, in order.</summary>
    public IReadOnlyList<ReferenceInterrupt> Interrupts => _interrupts;

    /// <summary>The responses to page requests sent so far, by command or by the IOMMU itself, in order.</summary>
    public IReadOnlyList<ReferencePageResponse> PageResponses => _responses;

    /// <summary>Reads a register or a part of one.</summary>
    /// <param name="offset">The byte offset in the MMIO aperture, a multiple of <paramref name="size"/>.</param>
    /// <param name="size">1, 2, 4 or 8 bytes; anything else reads 0.</param>
    public ulong Read(ulong offset, int size) => _front.Read(offset, size);

    /// <summary>Writes a register or a part of one, and executes the commands that this lets run.</summary>
    /// <param name="offset">The byte offset in the MMIO aperture, a multiple of <paramref name="size"/>.</param>
    /// <param name="size">1, 2, 4 or 8 bytes; anything else is ignored.</param>
    /// <param name="value">The value, of which the low <paramref name="size"/> bytes count.</param>
    public void Write(ulong offset, int size, ulong value) => _front.Write(offset, size, value);

    /// <summary>
    /// Sets a register as a snapshot of a stopped machine holds it, read-only ones included; nothing runs by it. Of the
    /// status register the W1C bits count, its run bits follow the other registers.
    /// </summary>
    /// <param name="offset">A multiple of 8.</param>
    /// <param name="value">All 64 bits.</param>
    public void RestoreRegister(ulong offset, ulong value)
    {
        _registers.Set(offset, value);
        if (offset == RegisterMap.Status)
        {
            _log.StatusRestored();
            _pprLog.StatusRestored();
        }
    }

    /// <summary>Answers a request without any effect.</summary>
    /// <param name="request">What a device asks.</param>
    public ReferenceAnswer Translate(in TranslationRequest request) =>
        new Translation(_memory, _registers, request, DeviceFetch.Read(_memory, _registers, request.Device)).Run();

    /// <summary>Answers a request, marks the entries used, and logs the event of a refusal.</summary>
    /// <param name="request">What a device asks.</param>
    public ReferenceAnswer Request(in TranslationRequest request)
    {
        ReferenceAnswer answer = Translate(request);
        foreach (ReferenceUpdate update in answer.Updates)
        {
            if (_memory.TryRead64(update.Address, out ulong entry))
                _memory.TryWrite64(update.Address, entry | update.Bits);
        }

        if (answer.Event is not null && !_suppression.Hides(answer))
            _log.Report(answer.Event);
        return answer;
    }

    /// <summary>Takes a page request: logs it, answers it, or reports that it is not allowed.</summary>
    /// <param name="request">What a device asks.</param>
    /// <exception cref="ArgumentOutOfRangeException">The PASID does not fit 20 bits, or the group 9.</exception>
    public ReferencePageOutcome RequestPage(in ReferencePageRequest request)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)request.Group, 511u, nameof(request));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Pasid ?? 0, 0xF_FFFFu, nameof(request));
        return _pages.Take(request);
    }
}
