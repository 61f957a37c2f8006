using FastNest.Amd;
using FastNest.Engine;
using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>
/// An IOMMU and its memory with everything that is done to them through here written to a trace. A host that does not record
/// uses <see cref="AmdIommu"/> and pays nothing; a host that does is served one call at a time, in the order of the trace. As with
/// the IOMMU itself, callbacks are called with no lock held, but for <see cref="AmdIommuOptions.InvalidateDeviceTlb"/>, during
/// which memory should be left alone: what is done within it is recorded after the access that caused it.
/// </summary>
public sealed class RecordedMachine : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TraceWriter _writer;
    private readonly List<TraceRecord> _delayed = [];
    private List<Action> _calls = [];
    private int _depth;
    private bool _inDevice;
    private int _ports;

    /// <summary>Begins to record: first the memory as it is, in which pages of zeroes take no room.</summary>
    /// <param name="trace">Receives the trace; closed with this.</param>
    /// <param name="memory">The machine's memory; stays the caller's to dispose.</param>
    /// <param name="options">How the IOMMU is made; null for the defaults.</param>
    public RecordedMachine(Stream trace, GuestPhysicalSpace memory, AmdIommuOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        options ??= new();
        AmdIommuOptions wrapped = options with
        {
            Interrupt = Later(options.Interrupt),
            PageResponse = Later(options.PageResponse),
            InvalidateDeviceTlb = options.InvalidateDeviceTlb is { } device ? invalidation => Ask(device, invalidation) : null,
            Viommu = options.Viommu with { Interrupt = Later(options.Viommu.Interrupt) },
        };
        Inner = new(memory, wrapped);
        _writer = new(trace, TraceHeader.Of(options));
        Memory = new(this, memory);
        Iommu = new(this);
        Viommu = Inner.Viommu is { } viommu ? new(this, viommu) : null;
    }

    /// <summary>The memory, for all but devices.</summary>
    public RecordedSpace Memory { get; }

    /// <summary>The IOMMU's registers.</summary>
    public RecordedIommu Iommu { get; }

    /// <summary>What serves guests; null unless the features offer it.</summary>
    public RecordedViommu? Viommu { get; }

    /// <summary>The IOMMU itself, to look at; what is done to it directly is not recorded.</summary>
    public AmdIommu Inner { get; }

    /// <summary>Bytes of the trace so far.</summary>
    public long Length => _writer.Length;

    /// <summary>Records so far.</summary>
    public long Records => _writer.Records;

    /// <summary>Requests so far.</summary>
    public long Requests => _writer.Requests;

    /// <summary>Opens a port for one submitting thread; as <see cref="AmdIommu.OpenPort"/>.</summary>
    /// <param name="caches">The sizes of its caches; null for the defaults.</param>
    /// <param name="strategy">How batches are walked.</param>
    public RecordedPort OpenPort(CacheOptions? caches = null, WalkStrategy strategy = WalkStrategy.Auto)
    {
        caches ??= new();
        using Operation operation = Begin();
        TranslationPort port = Inner.OpenPort(caches, strategy);
        Record(new PortOpened(_ports, caches, strategy));
        return new(this, port, _ports++);
    }

    /// <summary>Records what memory holds now, the IOMMU's own stores included: a replay must have the same.</summary>
    /// <param name="address">The first address, a multiple of 4096.</param>
    /// <param name="length">Bytes, a multiple of 4096; holes do not count.</param>
    /// <exception cref="ArgumentException">The range is not one of whole pages within 52 bits.</exception>
    public void HashMemory(ulong address = 0, ulong length = 1UL << GuestPhysicalSpace.AddressBits)
    {
        const ulong limit = 1UL << GuestPhysicalSpace.AddressBits;
        if ((address | length) % GuestPhysicalSpace.PageSize != 0 || address > limit || length > limit - address)
        {
            throw new ArgumentException($"range 0x{address:x}+0x{length:x}: must be of whole pages below 0x{limit:x}", nameof(length));
        }

        using Operation operation = Begin();
        Record(new MemoryHashed(address, length, MemoryHash.Of(Memory.Inner, address, length)));
    }

    /// <summary>Ends the trace, for which ports need not be given up.</summary>
    public void Dispose()
    {
        using Operation operation = Begin();
        HasEnded = true;
        _writer.Dispose();
    }

    /// <summary>Whether nothing is recorded any more.</summary>
    internal bool HasEnded { get; private set; }

    /// <summary>Begins something that is done at once as far as others see.</summary>
    internal Operation Begin()
    {
        _gate.Enter();
        _depth++;
        return new(this);
    }

    /// <summary>Records something that has been done within an operation.</summary>
    internal void Record(TraceRecord record)
    {
        if (_inDevice)
        {
            _delayed.Add(record);
            return;
        }

        _writer.Write(record);
        if (_delayed.Count != 0)
        {
            _delayed.ForEach(_writer.Write);
            _delayed.Clear();
        }
    }

    /// <summary>Records a memory write without making a record, if there is none to come before it.</summary>
    internal void RecordMemory(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (_inDevice)
        {
            Record(new MemoryWritten(address, bytes.ToArray()));
            return;
        }

        _writer.WriteMemory(address, bytes);
    }

    /// <summary>Records a call of a port likewise.</summary>
    internal void RecordRequests(
        int port, bool isBound, ReadOnlySpan<Requests.TranslationRequest> requests, ReadOnlySpan<Requests.TranslationResult> answers)
    {
        if (_inDevice)
        {
            Record(new RequestsTranslated(port, isBound, requests.ToArray(), answers.ToArray()));
            return;
        }

        _writer.WriteRequests(port, isBound, requests, answers);
    }

    /// <summary>Has a callback called when the operation is over.</summary>
    internal void Call(Action call) => _calls.Add(call);

    private void End()
    {
        List<Action>? calls = null;
        if (--_depth == 0 && _calls.Count != 0)
        {
            (calls, _calls) = (_calls, []);
        }

        _gate.Exit();
        calls?.ForEach(static call => call());
    }

    private Action<T>? Later<T>(Action<T>? callback) => callback is null ? null : value => Call(() => callback(value));

    private bool Ask(Func<DeviceTlbInvalidation, bool> device, DeviceTlbInvalidation invalidation)
    {
        bool inTime = true;
        _inDevice = true;
        try
        {
            inTime = device(invalidation);
        }
        finally
        {
            _inDevice = false;
            _writer.Write(new DeviceAnswered(inTime));
        }

        return inTime;
    }

    /// <summary>Ends what <see cref="Begin"/> began, when disposed.</summary>
    internal readonly ref struct Operation(RecordedMachine machine) : IDisposable
    {
        public void Dispose() => machine.End();
    }
}
