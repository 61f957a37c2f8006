using FastNest.Requests;

namespace FastNest.Engine;

/// <summary>
/// Serves requests side by side, on whatever instruction set: first the groups of lanes of which everything is known, then
/// those that strayed from that.
/// </summary>
internal abstract class LaneWalker
{
    /// <inheritdoc cref="RequesterLanes{TLanes}.Take"/>
    public abstract int Take(
        ReadOnlySpan<TranslationRequest> asked,
        int from,
        ulong mark,
        AddressRange messages,
        LaneRequesters requesters,
        LaneRequests taken);

    /// <summary>Serves what it can of requests of any requesters; inside the port's read section.</summary>
    /// <param name="requests">What is asked; used up.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers, as pairs of 64 bits, at the requests' places.</param>
    /// <param name="unserved">Receives every place that remains: refused, or out of the ordinary.</param>
    public abstract void Serve(LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved);

    /// <summary>Serves addresses of one requester of which everything is known.</summary>
    /// <param name="iovas">The addresses, at most <see cref="LaneRequests.Capacity"/>.</param>
    /// <param name="requests">What is the same for all of them has been bound to it.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers, as pairs of 64 bits.</param>
    /// <returns>One bit for each group of lanes that strayed.</returns>
    public abstract ulong ServeKnown(ReadOnlySpan<ulong> iovas, LaneRequests requests, AddressRange messages, Span<ulong> results);

    /// <summary>Serves what it can of those that strayed, right after <see cref="ServeKnown"/> and with the same arguments.</summary>
    /// <param name="strayed">Which groups.</param>
    /// <param name="iovas">The addresses.</param>
    /// <param name="requests">What has been bound; used up.</param>
    /// <param name="messages">Where requests are not for memory.</param>
    /// <param name="results">Receives the answers.</param>
    /// <param name="unserved">Receives every place that remains.</param>
    public abstract void ServeStrayed(
        ulong strayed, ReadOnlySpan<ulong> iovas, LaneRequests requests, AddressRange messages, Span<ulong> results, PlaceSet unserved);
}
