namespace FastNest.Engine;

/// <summary>Serves requests side by side, on whatever instruction set.</summary>
internal abstract class LaneWalker
{
    /// <summary>Serves what it can of requests of any requesters; inside the port's read section.</summary>
    /// <param name="requests">What is asked; used up.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers, as pairs of 64 bits, at the requests' places.</param>
    /// <param name="unserved">Receives every place that remains: refused, or out of the ordinary.</param>
    public abstract void Serve(LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved);

    /// <summary>The same for addresses of one requester.</summary>
    /// <param name="iovas">The addresses, at most <see cref="LaneRequests.Capacity"/>.</param>
    /// <param name="requests">What is the same for all of them has been bound to it; used up.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers, as pairs of 64 bits.</param>
    /// <param name="unserved">Receives every place that remains.</param>
    public abstract void Serve(
        ReadOnlySpan<ulong> iovas, LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved);
}
