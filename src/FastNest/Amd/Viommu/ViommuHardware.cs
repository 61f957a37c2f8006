using FastNest.Amd.Commands;
using FastNest.Memory;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The part of an IOMMU that serves guests without their host (digest section 8): each guest, named by a 16-bit id, has a page
/// of registers of its own, a command buffer that is executed with its ids mapped to the host's, and logs for the faults and
/// page requests of its devices. Any thread may call; no access may be made from within a batch, as a COMPLETION_WAIT waits for
/// batches under way.
/// </summary>
public sealed class ViommuHardware
{
    private readonly Lock _mmio;
    private readonly ViommuParts _parts;
    private readonly Deliveries _deliveries;
    private readonly GuestDirectory _guests;
    private readonly GuestScheduler _scheduler;

    internal ViommuHardware(ViommuOptions options, ViommuParts parts, Lock mmio, Deliveries deliveries)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Turn, 1, nameof(options.Turn));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Device.Value, ushort.MaxValue, nameof(options.Device));
        Capability = new(options);
        _mmio = mmio;
        _parts = parts;
        _deliveries = deliveries;
        _guests = new(parts);
        _scheduler = new(parts, options.Turn);
        Events = new(_guests, parts);
        VfMmio = new VfWindow(_guests, _scheduler, mmio, deliveries);
        VfControl = new VfControlWindow(_guests, _scheduler, mmio, deliveries);
    }

    /// <summary>The size of <see cref="VfMmio"/> in bytes.</summary>
    public const ulong VfSize = VfWindow.Size;

    /// <summary>The size of <see cref="VfControl"/> in bytes.</summary>
    public const ulong VfControlSize = VfControlWindow.Size;

    /// <summary>The PCI capability that tells where the regions are.</summary>
    public ViommuCapability Capability { get; }

    /// <summary>
    /// The VF MMIO region: at guest id × 4096 what a guest sees of its IOMMU from 2000h on. A write does what follows from it
    /// before it returns, but executes at most one turn of the guest's commands.
    /// </summary>
    public IMmioWindow VfMmio { get; }

    /// <summary>The VF control region, for the host alone: at guest id × 64 the registers of section 8.4.</summary>
    public IMmioWindow VfControl { get; }

    /// <summary>Guests' commands executed since the start; illegal ones do not count.</summary>
    public long CommandsExecuted => _scheduler.Executed;

    internal GuestEvents Events { get; }

    /// <summary>
    /// Gives each guest that has commands left one turn, in the order in which they came to wait. To be called now and then, or
    /// after writes to <see cref="VfMmio"/>: a guest whose commands took more than a turn goes on only here. A guest without
    /// commands costs nothing. While the host's Control does not let guests' commands run, they go on waiting.
    /// </summary>
    /// <returns>Whether some guest has commands left that may run now: another call would go on with them.</returns>
    public bool RunGuests()
    {
        for (int turns = Ready(); turns > 0; turns--)
        {
            lock (_mmio)
            {
                _scheduler.RunNext();
            }

            _deliveries.Deliver();
        }

        return Ready() != 0;
    }

    /// <summary>
    /// Whether a guest's command buffer has changed since the last call, which clears its dirty bit; false where the host has
    /// not mapped the dirty status (digest section 8.10).
    /// </summary>
    /// <param name="guest">The guest's id.</param>
    public bool TakeDirty(ushort guest)
    {
        (ulong address, ulong bit) = PrivateLayout.Dirty(guest);
        return _parts.Memory.TryAssign(_parts.Iommu, address, bit, false, out bool before) && before;
    }

    /// <summary>Makes the MMIO space that a guest sees, for whoever traps its accesses.</summary>
    /// <param name="guest">The guest's id.</param>
    /// <param name="offered">What the guest is offered; null for all that the host has of what guests may be offered.</param>
    public GuestMmio OpenGuestMmio(ushort guest, IommuFeatures? offered = null) =>
        new(VfMmio, VfControl, guest, offered ?? _parts.Features.ForGuests());

    /// <summary>INSERT_GUEST_EVENT; serialised by the owner of the host's registers.</summary>
    internal void InsertEvent(in Command command) =>
        _guests.Find((ushort)command.Get(CommandLayout.GuestIDAt32))?.InsertWithheld();

    /// <summary>RESET_VMMIO; serialised by the owner of the host's registers.</summary>
    internal void Reset(in Command command) => _guests.Reset(
        (ushort)command.Get(CommandLayout.GuestID),
        command.Has(CommandLayout.ResetAll) || command.Has(CommandLayout.ResetAllAt27),
        command.Has(CommandLayout.ResetVCmd));

    /// <summary>The host's Control register was written: guests whose commands had to wait have a turn.</summary>
    internal void ControlWritten()
    {
        for (int turns = _scheduler.Ready; turns > 0; turns--)
        {
            _scheduler.RunNext();
        }
    }

    private int Ready()
    {
        lock (_mmio)
        {
            return _scheduler.Ready;
        }
    }
}
