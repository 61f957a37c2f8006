using FastNest.Amd.Pprs;
using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>Writes a trace; the format is described in README.md beside this file. For one thread at a time.</summary>
public sealed class TraceWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly bool _leaveOpen;
    private readonly TraceOutput _output;
    private readonly TraceContext _context = new();
    private readonly RequestsEncoder _requests;
    private readonly WordsEncoder _words;
    private bool _ended;

    /// <summary>Begins a trace.</summary>
    /// <param name="stream">Where it goes, in pieces of 64 KiB.</param>
    /// <param name="header">The machine.</param>
    /// <param name="leaveOpen">Whether the stream stays open when this is disposed.</param>
    /// <exception cref="ArgumentOutOfRangeException">The header tells of guests what a trace cannot hold.</exception>
    public TraceWriter(Stream stream, TraceHeader header, bool leaveOpen = false)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(header);
        ArgumentOutOfRangeException.ThrowIfLessThan(header.Viommu.Turn, 1, nameof(header.Viommu.Turn));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(header.Viommu.Turn, TraceFormat.MaximumTurn, nameof(header.Viommu.Turn));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(header.Viommu.Device.Value, ushort.MaxValue, nameof(header.Viommu.Device));
        _stream = stream;
        _leaveOpen = leaveOpen;
        _output = new(stream);
        _requests = new(_output, _context);
        _words = new(_output, _context);
        TraceHeaderCode.Write(_output, header);
    }

    /// <summary>Bytes of the trace so far.</summary>
    public long Length => _output.Position;

    /// <summary>Records so far.</summary>
    public long Records { get; private set; }

    /// <summary>Requests so far.</summary>
    public long Requests { get; private set; }

    /// <summary>Writes one record; memory and requests beyond a record's limit become several.</summary>
    /// <exception cref="ArgumentException">The record cannot be: an undefined access or kind, answers that are not one for each request.</exception>
    public void Write(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        switch (record)
        {
            case MemoryWritten memory:
                WriteMemory(memory.Address, memory.Bytes.Span);
                return;
            case RequestsTranslated batch:
                WriteRequests(batch.Port, batch.IsBound, batch.Requests.Span, batch.Answers.Span);
                return;
            case RegionAdded region:
                Begin(TraceKind.RegionAdded, region.IsMmio ? 1 : 0);
                _output.Number(region.Start >> TraceFormat.PageShift);
                _output.Number(region.Length >> TraceFormat.PageShift);
                break;
            case RegionRemoved region:
                Begin(TraceKind.RegionRemoved);
                _output.Number(region.Start >> TraceFormat.PageShift);
                break;
            case RegisterRead read:
                WriteAccess(TraceKind.RegisterRead, read.Window, read.At, read.Size, read.Value);
                break;
            case RegisterWritten written:
                WriteAccess(TraceKind.RegisterWritten, written.Window, written.At, written.Size, written.Value);
                break;
            case RegisterRestored restored:
                Begin(TraceKind.RegisterRestored);
                _output.Number(restored.At);
                _output.Number(restored.Value);
                break;
            case PortOpened opened:
                WritePort(opened);
                break;
            case PortClosed closed:
                Begin(TraceKind.PortClosed);
                _output.Number((ulong)closed.Port);
                break;
            case PageRequested page:
                WritePageRequest(page.Request);
                break;
            case GuestsRun:
                Begin(TraceKind.GuestsRun);
                break;
            case DirtyTaken taken:
                Begin(TraceKind.DirtyTaken, taken.WasDirty ? 1 : 0);
                _output.Number(taken.Guest);
                break;
            case DeviceAnswered answered:
                Begin(TraceKind.DeviceAnswered, answered.InTime ? 1 : 0);
                break;
            case MemoryHashed hashed:
                Begin(TraceKind.MemoryHashed);
                _output.Number(hashed.Address >> TraceFormat.PageShift);
                _output.Number(hashed.Length >> TraceFormat.PageShift);
                _output.Fixed(hashed.Hash, sizeof(ulong));
                break;
            default:
                throw new ArgumentException($"{record.GetType().Name}: not a record of this format", nameof(record));
        }
    }

    /// <summary>Writes a memory record without making one.</summary>
    /// <param name="address">The first physical address.</param>
    /// <param name="bytes">What was written there.</param>
    public void WriteMemory(ulong address, ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            ReadOnlySpan<byte> piece = bytes[..Math.Min(bytes.Length, TraceFormat.MaximumBytes)];
            if ((address | (uint)piece.Length) % sizeof(ulong) == 0 && _words.IsShorter(address, piece))
            {
                Begin(TraceKind.MemoryWords);
                _words.Write(address, piece);
            }
            else
            {
                Begin(TraceKind.MemoryBytes);
                _output.Signed((long)(address - _context.MemoryEnd));
                _output.Number((ulong)piece.Length);
                _output.Bytes(piece);
            }

            address += (ulong)piece.Length;
            _context.MemoryEnd = address;
            bytes = bytes[piece.Length..];
        }
    }

    /// <summary>Writes what went through a port in one call without making a record.</summary>
    /// <param name="port">The port's number.</param>
    /// <param name="isBound">Whether the call names one requester for all.</param>
    /// <param name="requests">What was asked.</param>
    /// <param name="answers">One for each.</param>
    /// <exception cref="ArgumentException">As <see cref="Write"/>.</exception>
    public void WriteRequests(int port, bool isBound, ReadOnlySpan<TranslationRequest> requests, ReadOnlySpan<TranslationResult> answers)
    {
        RequestsEncoder.Check(isBound, requests, answers);
        while (!requests.IsEmpty)
        {
            int count = Math.Min(requests.Length, TraceFormat.MaximumRequests);
            Begin(TraceKind.Requests, isBound ? 1 : 0);
            _output.Number((ulong)port);
            _output.Number((ulong)count);
            _requests.Write(requests[..count], answers[..count]);
            Requests += count;
            requests = requests[count..];
            answers = answers[count..];
        }
    }

    /// <summary>Hands what is written so far to the stream.</summary>
    public void Flush()
    {
        _output.Flush();
        _stream.Flush();
    }

    /// <summary>Ends the trace; a trace without its end cannot be told from one that was cut off. Nothing may follow.</summary>
    public void End()
    {
        if (_ended)
        {
            return;
        }

        _ended = true;
        _output.Byte((byte)TraceKind.End);
        _output.Number((ulong)Records);
        _output.Number((ulong)Requests);
        _output.Checksum();
        Flush();
    }

    /// <summary>Ends the trace.</summary>
    public void Dispose()
    {
        End();
        if (!_leaveOpen)
        {
            _stream.Dispose();
        }
    }

    private void Begin(TraceKind kind, int detail = 0)
    {
        ObjectDisposedException.ThrowIf(_ended, this);
        Records++;
        _output.Byte((byte)kind | detail << 4);
    }

    private void WriteAccess(TraceKind kind, RegisterWindow window, ulong at, int size, ulong value)
    {
        if (size is not (1 or 2 or 4 or 8))
        {
            throw new ArgumentException($"size {size}: must be 1, 2, 4 or 8", nameof(size));
        }

        Begin(kind, int.Log2(size) | (int)window << 2);
        _output.Number(at);
        _output.Number(value);
    }

    private void WritePort(PortOpened opened)
    {
        Begin(TraceKind.PortOpened);
        _output.Number((ulong)opened.Port);
        _output.Byte((int)opened.Strategy);
        foreach (int size in (ReadOnlySpan<int>)
            [
                opened.Caches.ContextEntries, opened.Caches.IotlbSets, opened.Caches.IotlbWays, opened.Caches.NestedTlbSets,
                opened.Caches.NestedTlbWays, opened.Caches.GuestTableEntries, opened.Caches.HostTableEntries,
            ])
        {
            _output.Number((ulong)size);
        }
    }

    private void WritePageRequest(PageRequest request)
    {
        RequestsEncoder.Check(request.Access, nameof(request));
        Begin(TraceKind.PageRequested);
        _output.Number(request.Device.Value);
        _output.Byte((request.Pasid is null ? 0 : 1) | (request.Privileged ? 2 : 0) | (request.Last ? 4 : 0) | (int)request.Access << 4);
        if (request.Pasid is { } pasid)
        {
            _output.Number(pasid);
        }

        _output.Number(request.Address);
        _output.Number((ulong)request.Group);
    }
}
