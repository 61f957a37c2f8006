using FastNest.Reference.Registers;
using FastNest.Reference.Rings;
using FastNest.Reference.Viommu;
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
    private readonly GuestService? _guests;

    /// <summary>Makes an IOMMU in its reset state.</summary>
    /// <param name="memory">System memory.</param>
    /// <param name="extendedFeatures">The EFR register 0030h: what is offered.</param>
    /// <param name="extendedFeatures2">The EFR2 register 01A0h.</param>
    /// <param name="irtCacheDisSticks">Whether Control.IRTCacheDis (59) can be set.</param>
    /// <param name="gstBufferTrpModeSticks">Whether Control.GstBufferTRPMode (60) can be set.</param>
    /// <param name="device">The IOMMU's own device.</param>
    /// <param name="turn">How many commands a guest has executed in one turn.</param>
    public ReferenceIommu(
        IReferenceMemory memory,
        ulong extendedFeatures,
        ulong extendedFeatures2,
        bool irtCacheDisSticks = false,
        bool gstBufferTrpModeSticks = false,
        ushort device = 2,
        int turn = 512)
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
        _guests = _registers.Features.VIommuSup ? new(memory, _registers, _log, device, turn, _responses) : null;
        _pages = new(memory, _registers, _log, _pprLog, _responses, _guests);
        _commands = new(memory, _registers, commandRing, _log, _suppression, _executed, _responses, _interrupts) { Guests = _guests };
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
    public void Write(ulong offset, int size, ulong value)
    {
        _front.Write(offset, size, value);
        if (offset >> 3 == RegisterMap.ControlOffset >> 3)
            _guests?.RunGuests();
    }

    /// <summary>What guests had executed so far, in order; the ids are the guests' own.</summary>
    public IReadOnlyList<ReferenceCommand> GuestCommands => _guests?.Executed ?? [];

    /// <summary>Guests' INVALIDATE_IOMMU_PAGES so far: the host's domain that each reached, and the command.</summary>
    public IReadOnlyList<(ushort Domain, ulong Low, ulong High)> GuestDomainInvalidations => _guests?.DomainInvalidations ?? [];

    /// <summary>Guests' INVALIDATE_IOTLB_PAGES so far: the host's device that each reached, and the command.</summary>
    public IReadOnlyList<(DeviceId Device, ulong Low, ulong High)> GuestDeviceInvalidations => _guests?.DeviceInvalidations ?? [];

    /// <summary>The interrupts for a guest since it was last reset, in order.</summary>
    /// <param name="guest">Its id.</param>
    public IReadOnlyList<ReferenceInterrupt> GuestInterrupts(ushort guest) => _guests?.Interrupts(guest) ?? [];

    /// <summary>Reads the VF MMIO region.</summary>
    /// <param name="offset">The byte offset: guest id × 4096 and the offset in its page.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    public ulong ReadVf(ulong offset, int size) => _guests?.ReadVf(offset, size) ?? 0;

    /// <summary>Writes the VF MMIO region.</summary>
    /// <param name="offset">The byte offset: guest id × 4096 and the offset in its page.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">The value.</param>
    public void WriteVf(ulong offset, int size, ulong value) => _guests?.WriteVf(offset, size, value);

    /// <summary>Reads the VF control region.</summary>
    /// <param name="offset">The byte offset: guest id × 64 and the offset of the register.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    public ulong ReadVfControl(ulong offset, int size) => _guests?.ReadControl(offset, size) ?? 0;

    /// <summary>Writes the VF control region.</summary>
    /// <param name="offset">The byte offset: guest id × 64 and the offset of the register.</param>
    /// <param name="size">1, 2, 4 or 8 bytes.</param>
    /// <param name="value">The value.</param>
    public void WriteVfControl(ulong offset, int size, ulong value) => _guests?.WriteControl(offset, size, value);

    /// <summary>Gives each guest whose commands wait one turn.</summary>
    public void RunGuests() => _guests?.RunGuests();

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

        if (answer.Event is ReferenceEvent refusal && !_suppression.Hides(answer) && _guests?.Takes(ref refusal, request) != true)
            _log.Report(refusal);
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
