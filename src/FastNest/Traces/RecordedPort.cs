using FastNest.Dma;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Traces;

/// <summary>A port whose requests, answers and transfers are recorded. Owned by one thread, as a port is.</summary>
public sealed class RecordedPort : IDisposable
{
    private readonly RecordedMachine _machine;
    private readonly TranslationPort _inner;
    private readonly int _number;
    private bool _disposed;

    internal RecordedPort(RecordedMachine machine, TranslationPort inner, int number)
    {
        _machine = machine;
        _inner = inner;
        _number = number;
    }

    /// <summary>As <see cref="TranslationPort.Translate(in TranslationRequest)"/>.</summary>
    public TranslationResult Translate(in TranslationRequest request)
    {
        TranslationResult result = default;
        Translate(new ReadOnlySpan<TranslationRequest>(in request), new Span<TranslationResult>(ref result));
        return result;
    }

    /// <summary>As <see cref="TranslationPort.Translate(ReadOnlySpan{TranslationRequest}, Span{TranslationResult})"/>.</summary>
    public void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results)
    {
        RequestsEncoder.Check(isBound: false, requests);
        using RecordedMachine.Operation operation = _machine.Begin();
        _inner.Translate(requests, results);
        _machine.RecordRequests(_number, isBound: false, requests, results[..requests.Length]);
    }

    /// <summary>As <see cref="TranslationPort.Translate(Requester, ReadOnlySpan{ulong}, Access, Span{TranslationResult})"/>.</summary>
    public void Translate(Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results)
    {
        RequestsEncoder.Check(access, nameof(access));
        using RecordedMachine.Operation operation = _machine.Begin();
        _inner.Translate(requester, iovas, access, results);
        var requests = new TranslationRequest[iovas.Length];
        for (int i = 0; i < requests.Length; i++)
        {
            requests[i] = requester.Request(iovas[i], access);
        }

        _machine.RecordRequests(_number, isBound: true, requests, results[..requests.Length]);
    }

    /// <summary>As <see cref="DmaPort.Read(Requester, ulong, Span{byte})"/>.</summary>
    public DmaResult Read(Requester requester, ulong iova, Span<byte> destination)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        return Transfer(requester, iova, Access.Read, destination, []);
    }

    /// <summary>As <see cref="DmaPort.Write(Requester, ulong, ReadOnlySpan{byte})"/>; the data is recorded.</summary>
    /// <param name="requester">Who asks.</param>
    /// <param name="iova">The first address.</param>
    /// <param name="source">The data.</param>
    /// <param name="message">Receives interrupt messages: requester, address and data. Null to drop them.</param>
    public DmaResult Write(Requester requester, ulong iova, ReadOnlySpan<byte> source, Action<Requester, ulong, ulong>? message = null)
    {
        using RecordedMachine.Operation operation = _machine.Begin();
        return Transfer(requester, iova, Access.Write, [], source, message);
    }

    /// <summary>Gives up the port; no call may be under way.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            using RecordedMachine.Operation operation = _machine.Begin();
            _inner.Dispose();
            if (!_machine.HasEnded)
            {
                _machine.Record(new PortClosed(_number));
            }
        }
    }

    /// <summary>Page by page; nothing else is done to the machine meanwhile, so that a translation holds until its data has moved.</summary>
    private DmaResult Transfer(
        Requester requester, ulong iova, Access access, Span<byte> destination, ReadOnlySpan<byte> source, Action<Requester, ulong, ulong>? message = null)
    {
        int length = destination.Length + source.Length;
        TranslationResult translation = default;
        for (int done = 0; done < length;)
        {
            ulong at = iova + (ulong)done;
            if (at < iova)
            {
                return new(done, translation, MemoryStatus.BeyondAddressWidth);
            }

            translation = Translate(requester.Request(at, access));
            if (!translation.Succeeded)
            {
                return new(done, translation, MemoryStatus.Ok);
            }

            int count = GuestPhysicalSpace.PieceLength(at, length - done);
            int moved = count;
            MemoryStatus status = MemoryStatus.Ok;
            if (translation.IsMessage)
            {
                ulong data = DmaPort.MessageData(source.Slice(done, count));
                _machine.Call(() => message?.Invoke(requester, at, data));
            }
            else if (access == Access.Read)
            {
                status = _machine.Memory.Inner.Read(translation.Address, destination.Slice(done, count), out moved);
            }
            else
            {
                status = _machine.Memory.Write(translation.Address, source.Slice(done, count), out moved);
            }

            done += moved;
            if (status != MemoryStatus.Ok)
            {
                return new(done, translation, status);
            }
        }

        return new(length, translation, MemoryStatus.Ok);
    }
}
