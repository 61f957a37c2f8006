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
