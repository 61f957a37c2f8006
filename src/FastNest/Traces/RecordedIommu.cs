using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>The registers of a recorded IOMMU. Any thread may call, but not from within a batch.</summary>
public sealed class RecordedIommu : IMmioWindow
{
    private readonly RecordedMachine _machine;
    private readonly RecordedWindow _window;

    internal RecordedIommu(RecordedMachine machine)
    {
        _machine = machine;
        _window = new(machine, RegisterWindow.Iommu, machine.Inner);
    }

    /// <summary>As <see cref="AmdIommu.Read"/>.</summary>
    public ulong Read(ulong offset, int size) => _window.Read(offset, size);

    /// <summary>As <see cref="AmdIommu.Write"/>.</summary>
    public void Write(ulong offset, int size, ulong value) => _window.Write(offset, size, value);

    /// <summary>As <see cref="AmdIommu.TryRestore"/>.</summary>
    public bool TryRestore(ulong offset, ulong value)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        bool done = _machine.Inner.TryRestore(offset, value);
        if (done)
        {
            _machine.Record(new RegisterRestored(offset, value));
        }

        return done;
    }

    /// <summary>As <see cref="AmdIommu.RequestPage"/>.</summary>
    public void RequestPage(in PageRequest request)
    {
        RequestsEncoder.Check(request.Access, nameof(request));
        using RecordedMachine.Operation operation = _machine.Begin();
        _machine.Inner.RequestPage(in request);
        _machine.Record(new PageRequested(request));
    }
}
