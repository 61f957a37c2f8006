using System.Collections.Concurrent;

namespace FastNest.Amd.Pprs;

/// <summary>
/// Answers to page requests on their way to the embedder's devices, delivered in order where it may call back: with no lock
/// held.
/// </summary>
internal sealed class DeviceMail(Action<PageResponse>? deliver)
{
    private readonly ConcurrentQueue<PageResponse> _waiting = new();

    public void Post(PageResponse response)
    {
        if (deliver is not null)
        {
            _waiting.Enqueue(response);
        }
    }

    public void Deliver()
    {
        while (deliver is not null && _waiting.TryDequeue(out PageResponse response))
        {
            deliver(response);
        }
    }
}
