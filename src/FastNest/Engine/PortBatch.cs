using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// A batch that its owner holds open: what it gives stays valid until it is disposed, and whoever invalidates meanwhile
/// waits for that. Hold it briefly, write no register within it, and let no other call of the port overlap it.
/// </summary>
public readonly ref struct PortBatch : IDisposable
{
    private readonly TranslationPort _port;

    internal PortBatch(TranslationPort port) => _port = port;

    /// <summary>Translates one request.</summary>
    public TranslationResult Translate(in TranslationRequest request) => _port.TranslateInBatch(in request);

    /// <summary>Translates addresses for one requester, all with what was invalidated before the batch was opened.</summary>
    /// <param name="requester">Who asks for all of them.</param>
    /// <param name="iovas">The addresses.</param>
    /// <param name="access">What is done there.</param>
    /// <param name="results">Receives one answer each; at least as long as the addresses.</param>
    /// <exception cref="ArgumentException">There are more addresses than places for results, or the PASID does not fit 20 bits.</exception>
    public void Translate(Requester requester, ReadOnlySpan<ulong> iovas, Access access, Span<TranslationResult> results) =>
        _port.TranslateInBatch(in requester, iovas, access, results);

    /// <summary>Translates one request down to memory that may be read, and if asked for written, in place.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="memory">
    /// The memory from the address asked for to the end of its 4 KiB page; empty when the request is refused or does not lead
    /// to memory. Valid until the batch is disposed.
    /// </param>
    public TranslationResult TranslateToHost(in TranslationRequest request, out Span<byte> memory)
    {
        TranslationResult result = _port.TranslateInBatch(in request);
        memory = result is { Succeeded: true, IsMessage: false } ? _port.Memory.PageAt(result.Address) : [];
        return result;
    }

    /// <summary>Ends the batch; interrupts that its faults caused are delivered now.</summary>
    public void Dispose() => _port.EndBatch();
}
