using FastNest.Amd.Commands;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Events;
using FastNest.Amd.Logs;
using FastNest.Amd.Pprs;
using FastNest.Amd.Registers;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Rings;

namespace FastNest.Amd;

/// <summary>
/// One AMD IOMMU: its registers, its rings in guest memory and its device table. Software drives it through
/// <see cref="Read"/> and <see cref="Write"/>, which any thread may call; devices send requests through ports, one thread
/// each. Whatever software puts into registers and memory becomes results and events, never an exception.
/// </summary>
public sealed class AmdIommu : IMmioWindow, IFrontEnd
{
    /// <summary>The size of the MMIO space in bytes.</summary>
    public const int MmioSize = RegisterMap.Aperture;

    private static readonly AddressRange InterruptWindow = new(0xFEE0_0000, 0xFEEF_FFFF);

    private readonly Lock _mmio = new();
    private readonly RegisterFile _registers;
    private readonly InterruptLatch _interrupts;
    private readonly LogRing _eventRing;
    private readonly LogRing _pprRing;
    private readonly EventLog _events;
    private readonly DeviceMail _mail;
    private readonly PprLog _pprs;
    private readonly DeviceFaultLatch _faults = new();
    private readonly InvalidationQueue _invalidations = new();
    private readonly CommandProcessor _commands;
    private readonly ContextResolver _contexts;
    private readonly Deliveries _deliveries;
    private TranslationRegime _regime;

    /// <summary>Makes an IOMMU in its reset state.</summary>
    /// <param name="memory">The machine's memory; it must outlive the IOMMU and its ports.</param>
    /// <param name="options">What it offers and how it interrupts; null for the defaults.</param>
    public AmdIommu(GuestPhysicalSpace memory, AmdIommuOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        options ??= new();
        Memory = memory;
        Features = options.Features;
        _registers = new(Features);
        _interrupts = new(options.Interrupt);
        var rings = new PhysicalRings(memory);
        _eventRing = new(LogRegisters.Event, rings, _registers, _interrupts);
        _pprRing = new(LogRegisters.Ppr, rings, _registers, _interrupts);
        _events = new(_eventRing, _registers, Features);
        _mail = new(options.PageResponse);
        _pprs = new(_pprRing, _registers, _mail);
        _contexts = new(memory, _registers, Features);
        var effects = new CommandEffects(_invalidations, _mail, options.InvalidateDeviceTlb);
        GuestInterruptQueue? guestInterrupts = Features.Has(ExtendedFeature.ViommuSup) ? new(options.Viommu.Interrupt) : null;
        _deliveries = new(_interrupts, _mail, guestInterrupts);
        Viommu = guestInterrupts is null ? null : OpenViommu(options.Viommu, effects, guestInterrupts);
        bool boundsStores = Features.Has(ExtendedFeature.SNPSup);
        _commands = new(
            new(rings, memory.Sections, _registers, new(Features), _events, _interrupts, boundsStores), effects, _events, _faults, Viommu);
        _regime = MakeRegime();
    }

    /// <summary>The machine's memory.</summary>
    public GuestPhysicalSpace Memory { get; }

    /// <summary>What is offered to software.</summary>
    public IommuFeatures Features { get; }

    /// <summary>What serves guests without their host; null unless the features offer it.</summary>
    public ViommuHardware? Viommu { get; }

    /// <summary>Commands executed since the start; illegal ones do not count.</summary>
    public long CommandsExecuted => _commands.Executed;

    TranslationRegime IFrontEnd.Regime => Volatile.Read(ref _regime);

    /// <summary>Opens a port for one submitting thread.</summary>
    /// <param name="caches">The sizes of its caches; null for the defaults.</param>
    /// <param name="strategy">How batches are walked; answers do not depend on it.</param>
    /// <exception cref="NotSupportedException">This machine cannot run the strategy.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A cache size is out of range, or there is no such strategy.</exception>
    public TranslationPort OpenPort(CacheOptions? caches = null, WalkStrategy strategy = WalkStrategy.Auto) =>
        new(Memory, this, new NestedCore<AmdV2, AmdV1>(Memory, this, _invalidations, caches ?? new(), strategy));

    /// <summary>Reads a register; reserved offsets, and accesses that are not 1, 2, 4 or 8 aligned bytes, read 0.</summary>
    /// <param name="offset">Bytes from the start of the MMIO space.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    public ulong Read(ulong offset, int size) => _registers.Read(offset, size);

    /// <summary>
    /// Writes a register and does what follows from it before returning: commands run, and a COMPLETION_WAIT among them waits
    /// for batches under way on other threads. Must not be called from within a batch.
    /// </summary>
    /// <param name="offset">Bytes from the start of the MMIO space.</param>
    /// <param name="size">1, 2, 4 or 8.</param>
    /// <param name="value">The low <paramref name="size"/> bytes count.</param>
    public void Write(ulong offset, int size, ulong value)
    {
        lock (_mmio)
        {
            if (_registers.Write(offset, size, value) is { } register)
            {
                Follow(register.Effect);
            }
        }

        Deliver();
    }

    /// <summary>
    /// Takes a device's page request: it is logged, answered automatically, or reported as invalid (digest section 7.2).
    /// Any thread may call.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The group is above 511 or the PASID above 1,048,575.</exception>
    public void RequestPage(in PageRequest request)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)request.Group, 511u, nameof(PageRequest.Group));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(request.Pasid ?? 0, (1u << TranslationRequest.PasidBits) - 1, nameof(PageRequest.Pasid));
        if (!Volatile.Read(ref _regime).Enabled)
        {
            return;
        }

        IommuEvent refusal = _contexts.AdmitPageRequest(in request, out ulong note);
        if (refusal.Code != EventCode.None)
        {
            _events.Append(in refusal);
        }
        else if (Viommu?.Events.TryTake(in request, note) != true)
        {
            _pprs.Append(in request, request.Device);
        }

        Deliver();
    }

    /// <summary>
    /// Sets a register to what a stopped machine's register held, read-only bits as well; bits that are reserved or whose
    /// feature is not offered stay 0. Run bits follow, no command runs. For snapshots, before the first port is opened.
    /// </summary>
    /// <param name="offset">The offset of a 64-bit register, a multiple of 8.</param>
    /// <param name="value">All 64 bits.</param>
    /// <returns>False, and nothing is changed, when no register is there.</returns>
    public bool TryRestore(ulong offset, ulong value)
    {
        lock (_mmio)
        {
            if (offset >= RegisterMap.Aperture || offset % 8 != 0 || RegisterMap.At((int)offset) is not { } register)
            {
                return false;
            }

            _registers.Restore(register, value);
            UpdateRunBits();
            _eventRing.Restore();
            _pprRing.Restore();
            Volatile.Write(ref _regime, MakeRegime());
            return true;
        }
    }

    /// <summary>The event that a refusal of this IOMMU gives, whether or not it is logged.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="fault">The answer.</param>
    /// <returns>An event with code <see cref="EventCode.None"/> when the request was not refused, or is a translation request that no event tells of.</returns>
    public static IommuEvent Describe(in TranslationRequest request, in TranslationResult fault) =>
        fault.Succeeded ? default : FaultEvents.Of(in request, in fault, IsMessage(in request));

    TranslationContext IFrontEnd.Resolve(in TranslationRequest request, ContextBuilder builder) =>
        _contexts.Resolve(in request, builder);

    void IFrontEnd.Report(in TranslationRequest request, in TranslationResult fault, in TranslationContext context)
    {
        IommuEvent entry = Describe(in request, in fault);
        if (entry.Code == EventCode.None)
        {
            return;
        }

        if (entry.Code == EventCode.IoPageFault
            && (context.Faults == FaultPolicy.ReportNone
                || (context.Faults == FaultPolicy.ReportFirst && !_faults.IsFirst(request.Device))))
        {
            return;
        }

        if (Viommu?.Events.TryTake(ref entry, context.Note) != true)
        {
            _events.Append(in entry);
        }
    }

    void IFrontEnd.AfterFaults() => Deliver();

    private void Deliver() => _deliveries.Deliver();

    private ViommuHardware OpenViommu(ViommuOptions options, CommandEffects effects, GuestInterruptQueue interrupts)
    {
        var parts = new ViommuParts(
            options.Device,
            _registers,
            Features.OfGuestHardware(),
            new(Memory, _contexts, _invalidations),
            Memory.Sections,
            new(_events),
            effects,
            _mail,
            interrupts);
        return new(options, parts, _mmio, _deliveries);
    }

    private static bool IsMessage(in TranslationRequest request) =>
        request is { HasPasid: false, Kind: RequestKind.Untranslated, Access: Access.Write } && InterruptWindow.Contains(request.Iova);

    private void Follow(RegisterEffect effect)
    {
        switch (effect)
        {
            case RegisterEffect.Control:
                UpdateRunBits();
                Volatile.Write(ref _regime, MakeRegime());
                _commands.Run();
                Viommu?.ControlWritten();
                break;
            case RegisterEffect.Translation:
                Volatile.Write(ref _regime, MakeRegime());
                break;
            case RegisterEffect.Status:
                UpdateRunBits();
                break;
            case RegisterEffect.CommandBase:
                _commands.Ring.Restart();
                break;
            case RegisterEffect.CommandPointer:
                _commands.Ring.ReducePointers();
                _commands.Run();
                break;
            case RegisterEffect.EventBase:
                _eventRing.Restart();
                break;
            case RegisterEffect.EventPointer:
                _eventRing.ReducePointers();
                break;
            case RegisterEffect.PprBase:
                _pprRing.Restart();
                break;
            case RegisterEffect.PprPointer:
                _pprRing.ReducePointers();
                break;
        }
    }

    private void UpdateRunBits()
    {
        _commands.Ring.Update();
        _eventRing.Update();
        _pprRing.Update();
    }

    private TranslationRegime MakeRegime()
    {
        ulong exclusion = _registers[RegisterMap.ExclusionBase];
        bool excludes = BaseRegister.ExEn.IsSet(exclusion) && !Features.Has(ExtendedFeature.SNPSup);
        return new(
            _registers.IsSet(RegisterMap.Control, ControlRegister.IommuEn),
            InterruptWindow,
            excludes
                ? new(BaseRegister.Address.InPlace(exclusion), _registers[RegisterMap.ExclusionLimit] | 0xFFF)
                : AddressRange.Empty,
            BaseRegister.Allow.IsSet(exclusion));
    }
}
