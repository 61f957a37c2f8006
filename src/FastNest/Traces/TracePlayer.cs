using FastNest.Amd;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>
/// Does to a machine of its own what a trace tells, one record after the other, and says what this machine answers. Nothing in it
/// depends on time or threads: the same records with the same caches give the same answers. For one thread at a time.
/// </summary>
public sealed class TracePlayer : IDisposable
{
    /// <summary>How much memory the machine may have unless said otherwise.</summary>
    public const ulong DefaultMemoryLimit = 16UL << 30;

    private const int MaximumRegions = 4096;
    private const int MaximumPorts = 64;
    private const long MaximumCacheEntries = 1 << 24;

    private readonly CacheOptions? _caches;
    private readonly WalkStrategy? _strategy;
    private readonly ulong _memoryLimit;
    private readonly Dictionary<ulong, MemoryRegion> _regions = [];
    private readonly Dictionary<int, (TranslationPort Port, long Entries)> _ports = [];
    private readonly Queue<bool> _deviceAnswers = new();
    private ulong _memoryLength;

    /// <summary>Makes the machine.</summary>
    /// <param name="header">What it is.</param>
    /// <param name="caches">The caches of all ports; null for those that the recorded ports had.</param>
    /// <param name="strategy">How all ports walk; null for the recorded way where this machine has it, else the fastest.</param>
    /// <param name="memoryLimit">Bytes of memory that the trace may ask for.</param>
    public TracePlayer(
        TraceHeader header, CacheOptions? caches = null, WalkStrategy? strategy = null, ulong memoryLimit = DefaultMemoryLimit)
    {
        ArgumentNullException.ThrowIfNull(header);
        _caches = caches;
        _strategy = strategy;
        _memoryLimit = memoryLimit;
        Iommu = new(Memory, header.Options with { InvalidateDeviceTlb = _ => !_deviceAnswers.TryDequeue(out bool inTime) || inTime });
    }

    /// <summary>The machine's memory.</summary>
    public GuestPhysicalSpace Memory { get; } = new();

    /// <summary>The machine's IOMMU.</summary>
    public AmdIommu Iommu { get; }

    /// <summary>Does what a record tells.</summary>
    /// <param name="record">The next record.</param>
    /// <returns>The record with what this machine answered.</returns>
    /// <exception cref="TraceException">The machine cannot do that.</exception>
    public TraceRecord Play(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        switch (record)
        {
            case RegionAdded region:
                Add(region);
                return record;
            case RegionRemoved region:
                Remove(region);
                return record;
            case RegisterRead read:
                return read with { Value = Window(read.Window, record).Read(read.At, read.Size) };
            case RegisterWritten written:
                Window(written.Window, record).Write(written.At, written.Size, written.Value);
                break;
            case RegisterRestored restored:
                Require(Iommu.TryRestore(restored.At, restored.Value), record, "register.offset", $"no register at 0x{restored.At:x}");
                return record;
            case MemoryWritten written:
                MemoryStatus status = Memory.Write(written.Address, written.Bytes.Span, out int done);
                Require(status == MemoryStatus.Ok, record, "memory.address", $"expected memory at 0x{written.Address + (ulong)done:x}, found {status}");
                return record;
            case PortOpened opened:
                Open(opened);
                return record;
            case PortClosed closed:
                Port(closed.Port, record).Dispose();
                _ports.Remove(closed.Port);
                return record;
            case RequestsTranslated batch:
                return batch with { Answers = Translate(batch) };
            case PageRequested page:
                Iommu.RequestPage(page.Request);
                break;
            case GuestsRun:
                Guests(record).RunGuests();
                break;
            case DirtyTaken taken:
                return taken with { WasDirty = Guests(record).TakeDirty(taken.Guest) };
            case DeviceAnswered answered:
                // Of answers beyond a ring's worth of commands none is ever taken.
                Require(_deviceAnswers.Count < TraceFormat.MaximumTurn, record, "device answer", $"more than {TraceFormat.MaximumTurn} for one record");
                _deviceAnswers.Enqueue(answered.InTime);
                return record;
            case MemoryHashed hashed:
                return hashed with { Hash = MemoryHash.Of(Memory, hashed.Address, hashed.Length) };
            default:
                throw new ArgumentException($"{record.GetType().Name}: not a record that can be played", nameof(record));
        }

        _deviceAnswers.Clear();
        return record;
    }

    /// <summary>Gives up the machine.</summary>
    public void Dispose()
    {
        foreach ((TranslationPort port, _) in _ports.Values)
        {
            port.Dispose();
        }

        _ports.Clear();
        Memory.Dispose();
    }

    private static void Require(bool condition, TraceRecord record, string field, string problem)
    {
        if (!condition)
        {
            throw new TraceException(record.Offset, field, problem);
        }
    }

    private void Add(RegionAdded region)
    {
        Require(_regions.Count < MaximumRegions, region, "region", $"expected at most {MaximumRegions} regions at a time");
        ulong added = region.IsMmio ? 0 : region.Length;
        Require(
            added <= _memoryLimit - _memoryLength,
            region,
            "region.length",
            $"expected at most 0x{_memoryLimit:x} bytes of memory, found 0x{added:x} more than 0x{_memoryLength:x}");
        try
        {
            _regions.Add(
                region.Start,
                region.IsMmio
                    ? Memory.AddMmio(region.Start, region.Length, new SilentWindow())
                    : Memory.AddOwned(region.Start, region.Length));
        }
        catch (MemoryMapException exception)
        {
            throw new TraceException(region.Offset, "region", exception.Message, exception);
        }

        _memoryLength += added;
    }

    private void Remove(RegionRemoved removed)
    {
        Require(_regions.Remove(removed.Start, out MemoryRegion? region), removed, "region.start", $"no region begins at 0x{removed.Start:x}");
        Memory.Remove(region!);
        _memoryLength -= region!.Kind == MemoryRegionKind.Mmio ? 0 : region.Length;
    }

    private IMmioWindow Window(RegisterWindow window, TraceRecord record) => window switch
    {
        RegisterWindow.VfMmio => Guests(record).VfMmio,
        RegisterWindow.VfControl => Guests(record).VfControl,
        _ => Iommu,
    };

    private ViommuHardware Guests(TraceRecord record) =>
        Iommu.Viommu ?? throw new TraceException(record.Offset, "record", "expected an IOMMU that serves guests, the features of this one do not offer it");

    private void Open(PortOpened opened)
    {
        CacheOptions caches = _caches ?? opened.Caches;
        long entries = caches.Entries;
        Require(!_ports.ContainsKey(opened.Port), opened, "port", $"{opened.Port} is open already");
        Require(_ports.Count < MaximumPorts, opened, "port", $"expected at most {MaximumPorts} ports at a time");
        Require(
            _ports.Values.Sum(static port => port.Entries) + entries <= MaximumCacheEntries,
            opened,
            "port",
            $"expected at most {MaximumCacheEntries} entries in the caches of all ports");
        WalkStrategy strategy = _strategy ?? (WalkStrategies.IsSupported(opened.Strategy) ? opened.Strategy : WalkStrategy.Auto);
        _ports.Add(opened.Port, (Iommu.OpenPort(caches, strategy), entries));
    }

    private TranslationPort Port(int number, TraceRecord record) => _ports.TryGetValue(number, out (TranslationPort Port, long Entries) open)
        ? open.Port
        : throw new TraceException(record.Offset, "port", $"{number} is not open");

    private TranslationResult[] Translate(RequestsTranslated batch)
    {
        TranslationPort port = Port(batch.Port, batch);
        ReadOnlySpan<TranslationRequest> requests = batch.Requests.Span;
        var answers = new TranslationResult[requests.Length];
        if (!batch.IsBound || requests.IsEmpty)
        {
            port.Translate(requests, answers);
            return answers;
        }

        ulong[] iovas = new ulong[requests.Length];
        for (int i = 0; i < iovas.Length; i++)
        {
            iovas[i] = requests[i].Iova;
        }

        TranslationRequest first = requests[0];
        var requester = new Requester(first.Device, first.HasPasid ? first.Pasid : null, first.Privileged);
        port.Translate(requester, iovas, first.Access, answers);
        return answers;
    }

    /// <summary>Stands where a window was whose effects are recorded as they came.</summary>
    private sealed class SilentWindow : IMmioWindow
    {
        public ulong Read(ulong offset, int size) => 0;

        public void Write(ulong offset, int size, ulong value)
        {
        }
    }
}
