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

    private readonly GuestPhysicalSpace _memory;
    private readonly IFrontEnd _frontEnd;
    private readonly TranslationCore _core;
    private readonly ReadSection _section;
    private bool _disposed;

    internal TranslationPort(GuestPhysicalSpace memory, IFrontEnd frontEnd, TranslationCore core)
    {
        _memory = memory;
        _frontEnd = frontEnd;
        _core = core;
        _section = memory.Sections.Register();
    }

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
            _memory.Sections.Enter(_section);
            try
            {
                _core.CatchUp();
                _core.Translate(requests.Slice(done, count), results.Slice(done, count));
            }
            finally
            {
                _section.Leave();
            }

            if (_core.TakeFaulted())
            {
                _frontEnd.AfterFaults();
            }
        }
    }

    /// <summary>Gives up the port; no call may be under way.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _memory.Sections.Unregister(_section);
        }
    }
}
