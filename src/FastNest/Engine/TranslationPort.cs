using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// Where one thread's requests enter. A port owns its caches, so that a hit costs no atomic operation; several ports of one
/// IOMMU may run at once, one thread each. A call sees every invalidation that was completed before it began.
/// </summary>
public sealed class TranslationPort : IDisposable
{
    /// <summary>How many requests are translated between two looks at the invalidations, so that nobody waits for long.</summary>
    private const int Chunk = 1024;

    private readonly IFrontEnd _frontEnd;
    private readonly TranslationCore _core;
    private readonly ReadSection _section;
    private bool _disposed;

    internal TranslationPort(GuestPhysicalSpace memory, IFrontEnd frontEnd, TranslationCore core)
    {
        Memory = memory;
        _frontEnd = frontEnd;
        _core = core;
        _section = memory.Sections.Register();
    }

    internal GuestPhysicalSpace Memory { get; }

    /// <summary>What the caches have done so far; any thread may ask.</summary>
    public PortStatistics Statistics => _core.Statistics;

    /// <summary>Translates one request; a refusal is reported as the architecture asks.</summary>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public TranslationResult Translate(in TranslationRequest request)
    {
        TranslationResult result = default;
        Translate(new ReadOnlySpan<TranslationRequest>(in request), new Span<TranslationResult>(ref result));
        return result;
    }

    /// <summary>
    /// Translates requests in order; a refusal does not stop them. Long spans are translated piece by piece, and
    /// invalidations completed meanwhile are seen between two pieces.
    /// </summary>
    /// <param name="requests">What is asked.</param>
    /// <param name="results">Receives one answer each; at least as long as the requests.</param>
    /// <exception cref="ArgumentException">There are more requests than places for results.</exception>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public void Translate(ReadOnlySpan<TranslationRequest> requests, Span<TranslationResult> results)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (results.Length < requests.Length)
        {
            throw new ArgumentException($"results: {results.Length} places for {requests.Length} requests", nameof(results));
        }

        for (int done = 0; done < requests.Length; done += Chunk)
        {
            int count = Math.Min(Chunk, requests.Length - done);
            BeginBatch();
            try
            {
                _core.Translate(requests.Slice(done, count), results.Slice(done, count));
            }
            finally
            {
                EndBatch();
            }
        }
    }

    /// <summary>Translates addresses for one requester, whose context is looked up once; otherwise as for a mixed batch.</summary>
    /// <param name="requester">Who asks for all of them.</param>
    /// <param name="iovas">The addresses.</param>
    /// <param name="access">What is done there.</param>
    /// <param name="results">Receives one answer each; at least as long as the addresses.</param>
    /// <exception cref="ArgumentException">There are more addresses than places for results, or the PASID does not fit 20 bits.</exception>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public void Translate(Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        CheckPlaces(iovas, results);
        for (int done = 0; done < iovas.Length; done += Chunk)
        {
            int count = Math.Min(Chunk, iovas.Length - done);
            BeginBatch();
            try
            {
                _core.Translate(in requester, iovas.Slice(done, count), access, results.Slice(done, count));
            }
            finally
            {
                EndBatch();
            }
        }
    }

    /// <summary>
    /// Translates a range of addresses into the fewest runs of physical ones. Stops before the first address that is refused,
    /// that is an interrupt message, or for which there is no place left.
    /// </summary>
    /// <param name="requester">Who asks.</param>
    /// <param name="iova">The first address.</param>
    /// <param name="length">Bytes; the range must not go beyond 2^64.</param>
    /// <param name="access">What is done there.</param>
    /// <param name="runs">Receives the runs.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="done">How many bytes they cover.</param>
    /// <returns>The last answer: of the address at fault if it stopped at one.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range goes beyond 2^64.</exception>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public TranslationResult TranslateRange(
        Requester requester, ulong iova, ulong length, Access access, Span<TranslatedRun> runs, out int count, out ulong done)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, iova == 0 ? ulong.MaxValue : 0 - iova);
        TranslationResult result = default;
        count = 0;
        done = 0;
        while (done < length)
        {
            ulong at = iova + done;
            result = Translate(requester.Request(at, access));
            if (!result.Succeeded || result.IsMessage)
            {
                break;
            }

            // Messages and what is excluded from translation may begin in the midst of a page.
            TranslationRegime regime = _frontEnd.Regime;
            ulong piece = Math.Min(length - done, Math.Min(regime.MessageWindow.DistanceFrom(at), regime.Exclusion.DistanceFrom(at)));
            if (result.PageShift < 64)
            {
                piece = Math.Min(piece, (1UL << result.PageShift) - (at & ((1UL << result.PageShift) - 1)));
            }

            if (count > 0 && runs[count - 1].Address + runs[count - 1].Length == result.Address)
            {
                runs[count - 1] = runs[count - 1] with { Length = runs[count - 1].Length + piece };
            }
            else if (count < runs.Length)
            {
                runs[count++] = new(result.Address, piece);
            }
            else
            {
                break;
            }

            done += piece;
        }

        return result;
    }

    /// <summary>Opens a batch that lasts until it is disposed; see <see cref="PortBatch"/>.</summary>
    /// <exception cref="ObjectDisposedException">The port is disposed.</exception>
    public PortBatch OpenBatch()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        BeginBatch();
        return new(this);
    }

    /// <summary>Gives up the port; no call may be under way.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            Memory.Sections.Unregister(_section);
        }
    }

    internal TranslationResult TranslateInBatch(in TranslationRequest request)
    {
        TranslationResult result = default;
        _core.Translate(new ReadOnlySpan<TranslationRequest>(in request), new Span<TranslationResult>(ref result));
        return result;
    }

    internal void TranslateInBatch(in Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results)
    {
        CheckPlaces(iovas, results);
        _core.Translate(in requester, iovas, access, results);
    }

    internal void EndBatch()
    {
        _section.Leave();
        if (_core.TakeFaulted())
        {
            _frontEnd.AfterFaults();
        }
    }

    private static void CheckPlaces(ReadOnlySpan<ulong> iovas, Span<TranslationResult> results)
    {
        if (results.Length < iovas.Length)
        {
            throw new ArgumentException($"results: {results.Length} places for {iovas.Length} addresses", nameof(results));
        }
    }

    private void BeginBatch()
    {
        Memory.Sections.Enter(_section);
        _core.CatchUp();
    }
}
