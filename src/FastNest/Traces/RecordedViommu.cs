using FastNest.Amd;
using FastNest.Amd.Viommu;
using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>What serves guests, recorded. Any thread may call, but not from within a batch.</summary>
public sealed class RecordedViommu
{
    private readonly RecordedMachine _machine;
    private readonly ViommuHardware _inner;

    internal RecordedViommu(RecordedMachine machine, ViommuHardware inner)
    {
        _machine = machine;
        _inner = inner;
        VfMmio = new RecordedWindow(machine, RegisterWindow.VfMmio, inner.VfMmio);
        VfControl = new RecordedWindow(machine, RegisterWindow.VfControl, inner.VfControl);
    }

    /// <summary>As <see cref="ViommuHardware.VfMmio"/>.</summary>
    public IMmioWindow VfMmio { get; }

    /// <summary>As <see cref="ViommuHardware.VfControl"/>.</summary>
    public IMmioWindow VfControl { get; }

    /// <summary>As <see cref="ViommuHardware.RunGuests"/>.</summary>
    public bool RunGuests()
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        bool more = _inner.RunGuests();
        _machine.Record(new GuestsRun());
        return more;
    }

    /// <summary>As <see cref="ViommuHardware.TakeDirty"/>.</summary>
    public bool TakeDirty(ushort guest)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        bool dirty = _inner.TakeDirty(guest);
        _machine.Record(new DirtyTaken(guest, dirty));
        return dirty;
    }

    /// <summary>As <see cref="ViommuHardware.OpenGuestMmio"/>; what it does to <see cref="VfMmio"/> and <see cref="VfControl"/> is recorded.</summary>
    public GuestMmio OpenGuestMmio(ushort guest, IommuFeatures? offered = null) =>
        new(VfMmio, VfControl, guest, offered ?? _machine.Inner.Features.ForGuests());
}
