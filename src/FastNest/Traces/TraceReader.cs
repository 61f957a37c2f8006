using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>
/// Reads a trace record by record, believing nothing: whatever is wrong is a <see cref="TraceException"/>, and no field makes it
/// allocate more than a record may hold. For one thread at a time.
/// </summary>
public sealed class TraceReader
{
    private const ulong MaximumPage = 1UL << (GuestPhysicalSpace.AddressBits - TraceFormat.PageShift);

    private readonly TraceInput _input;
    private readonly TraceContext _context = new();
    private readonly RequestsDecoder _requests;
    private ulong _recordCount;
    private ulong _requestCount;
    private bool _ended;

    /// <summary>Reads the header.</summary>
    /// <param name="stream">The trace; stays the caller's to dispose.</param>
    /// <exception cref="TraceException">This is no trace of a version that is known.</exception>
    public TraceReader(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _input = new(stream);
        _requests = new(_input, _context);
        Header = TraceHeaderCode.Read(_input);
    }

    /// <summary>The machine.</summary>
    public TraceHeader Header { get; }

    /// <summary>Bytes read so far.</summary>
    public long Position => _input.Position;

    /// <summary>Reads the next record.</summary>
    /// <returns>Null at the end of the trace.</returns>
    /// <exception cref="TraceException">The record makes no sense, or the trace ends before its end.</exception>
    public TraceRecord? Read()
    {
        if (_ended)
        {
            return null;
        }

        long at = _input.Position;
        byte tag = _input.Byte("record");
        var kind = (TraceKind)(tag & 0xF);
        int detail = tag >> 4;
        int limit = kind switch
        {
            TraceKind.RegisterRead or TraceKind.RegisterWritten => (int)RegisterWindow.VfControl << 2 | 3,
            TraceKind.RegionAdded or TraceKind.Requests or TraceKind.DirtyTaken or TraceKind.DeviceAnswered => 1,
            _ => 0,
        };
        if (detail > limit)
        {
            throw new TraceException(at, "record", $"expected a detail of at most {limit} for {kind}, found {detail}");
        }

        if (kind == TraceKind.End)
        {
            End();
            return null;
        }

        _recordCount++;
        return Read(kind, detail) with { Offset = at };
    }

    private TraceRecord Read(TraceKind kind, int detail) => kind switch
    {
        TraceKind.RegionAdded => ReadRegion(detail == 1),
        TraceKind.RegionRemoved => new RegionRemoved(ReadPage("region.start")),
        TraceKind.RegisterRead => new RegisterRead(WindowOf(detail), ReadRegister(), SizeOf(detail), ReadValue()),
        TraceKind.RegisterWritten => new RegisterWritten(WindowOf(detail), ReadRegister(), SizeOf(detail), ReadValue()),
        TraceKind.RegisterRestored => new RegisterRestored(ReadRegister(AmdIommu.MmioSize - 8), ReadValue()),
        TraceKind.MemoryWords => ReadWords(),
        TraceKind.MemoryBytes => ReadBytes(),
        TraceKind.PortOpened => ReadPort(),
        TraceKind.PortClosed => new PortClosed(ReadPortNumber()),
        TraceKind.Requests => ReadRequests(detail == 1),
        TraceKind.PageRequested => ReadPageRequest(),
        TraceKind.GuestsRun => new GuestsRun(),
        TraceKind.DirtyTaken => new DirtyTaken((ushort)_input.Number("guest", ushort.MaxValue), detail == 1),
        TraceKind.DeviceAnswered => new DeviceAnswered(detail == 1),
        _ => new MemoryHashed(ReadPage("hash.start"), ReadPage("hash.length"), _input.Fixed("hash", sizeof(ulong))),
    };

    private void End()
    {
        CheckCount("end.records", _recordCount);
        CheckCount("end.requests", _requestCount);
        _input.Checksum("end.checksum");
        if (!_input.IsAtEnd)
        {
            throw new TraceException(_input.Position, "end", "expected nothing after the end");
        }

        _ended = true;
    }

    private void CheckCount(string field, ulong count)
    {
        long at = _input.Position;
        ulong found = _input.Number(field);
        if (found != count)
        {
            throw new TraceException(at, field, $"expected {count}, as many as there were, found {found}");
        }
    }

    private ulong ReadPage(string field) => _input.Number(field, MaximumPage) << TraceFormat.PageShift;

    private RegionAdded ReadRegion(bool isMmio)
    {
        ulong start = ReadPage("region.start");
        long at = _input.Position;
        ulong length = ReadPage("region.length");
        return length == 0 || start + length > 1UL << GuestPhysicalSpace.AddressBits
            ? throw new TraceException(at, "region.length", $"expected 1 page or more within {GuestPhysicalSpace.AddressBits} bits, found 0x{length:x} bytes")
            : new(start, length, isMmio);
    }

    private static RegisterWindow WindowOf(int detail) => (RegisterWindow)(detail >> 2);

    private static int SizeOf(int detail) => 1 << (detail & 3);

    private ulong ReadRegister(ulong limit = ulong.MaxValue) => _input.Number("register.offset", limit);

    private ulong ReadValue() => _input.Number("register.value");

    private MemoryWritten ReadWords()
    {
        ulong address = (_context.MemoryEnd & ~7UL) + ((ulong)_input.Signed("memory.address") << 3);
        byte[] bytes = new byte[ReadLength(TraceFormat.MaximumBytes / sizeof(ulong)) * sizeof(ulong)];
        for (int i = 0; i < bytes.Length; i += sizeof(ulong))
        {
            ref ulong likely = ref _context.LikelyWord(address + (ulong)i);
            ulong word = WordCode.Word(_input.Number("memory.word"), likely);
            likely = word == 0 ? likely : word;
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i), word);
        }

        _context.MemoryEnd = address + (ulong)bytes.Length;
        return new(address, bytes);
    }

    private MemoryWritten ReadBytes()
    {
        ulong address = _context.MemoryEnd + (ulong)_input.Signed("memory.address");
        byte[] bytes = new byte[ReadLength(TraceFormat.MaximumBytes)];
        _input.Bytes("memory.bytes", bytes);
        _context.MemoryEnd = address + (ulong)bytes.Length;
        return new(address, bytes);
    }

    private int ReadLength(int limit)
    {
        long at = _input.Position;
        var length = (int)_input.Number("memory.length", (ulong)limit);
        return length != 0 ? length : throw new TraceException(at, "memory.length", "expected at least 1, found 0");
    }

    private int ReadPortNumber() => (int)_input.Number("port", int.MaxValue);

    private PortOpened ReadPort()
    {
        int port = ReadPortNumber();
        var strategy = (WalkStrategy)_input.Byte("port.strategy", (int)WalkStrategy.Avx512);
        long at = _input.Position;
        var caches = new CacheOptions
        {
            ContextEntries = ReadSize("port.contexts"),
            IotlbSets = ReadSize("port.iotlb sets"),
            IotlbWays = ReadSize("port.iotlb ways"),
            NestedTlbSets = ReadSize("port.nested sets"),
            NestedTlbWays = ReadSize("port.nested ways"),
            GuestTableEntries = ReadSize("port.guest tables"),
            HostTableEntries = ReadSize("port.host tables"),
        };
        try
        {
            caches.Check();
        }
        catch (ArgumentOutOfRangeException exception)
        {
            throw new TraceException(at, "port", exception.Message.ReplaceLineEndings(" "), exception);
        }

        return new(port, caches, strategy);
    }

    private int ReadSize(string field) => (int)_input.Number(field, int.MaxValue);

    private RequestsTranslated ReadRequests(bool isBound)
    {
        int port = ReadPortNumber();
        long at = _input.Position;
        var count = (int)_input.Number("request.count", TraceFormat.MaximumRequests);
        if (count == 0)
        {
            throw new TraceException(at, "request.count", "expected at least 1, found 0");
        }

        _requestCount += (ulong)count;
        return _requests.Read(port, isBound, count);
    }

    private PageRequested ReadPageRequest()
    {
        var device = new DeviceId((uint)_input.Number("page request.device", uint.MaxValue));
        long at = _input.Position;
        int bits = _input.Byte("page request.attributes", 0x7F);
        if ((bits & 8) != 0)
        {
            throw new TraceException(at, "page request.attributes", "expected bit 3 to be 0");
        }

        uint? pasid = (bits & 1) != 0 ? (uint)_input.Number("page request.pasid", (1 << TranslationRequest.PasidBits) - 1) : null;
        ulong address = _input.Number("page request.address");
        var group = (int)_input.Number("page request.group", 511);
        return new(new PageRequest(device, pasid, address, (Access)(bits >> 4), group, (bits & 4) != 0, (bits & 2) != 0));
    }
}
