using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>
/// When each device, domain and PASID was last invalidated as a whole, in ticks of a port's own clock: what was cached at
/// an earlier tick is dead. Constant time and space: ids share a tick where their hashes meet, and dropping too much is
/// always right. 64 bits do not wrap.
/// </summary>
internal sealed class InvalidationClock
{
    private const int Slots = 1024;

    private readonly ulong[] _devices = new ulong[Slots];
    private readonly ulong[] _domains = new ulong[Slots];
    private readonly ulong[] _nested = new ulong[Slots];
    private readonly ulong[] _pasids = new ulong[Slots];
    private ulong _everything;

    /// <summary>The present tick.</summary>
    public ulong Now { get; private set; } = 1;

    public void InvalidateEverything() => _everything = ++Now;

    public void Invalidate(DeviceId device) => _devices[device.Value % Slots] = ++Now;

    /// <summary>Everything of a domain, with and without guest tables.</summary>
    public void InvalidateDomain(ushort domain) => _domains[domain % Slots] = ++Now;

    /// <summary>Everything of a domain that was translated through guest tables.</summary>
    public void InvalidateNested(ushort domain) => _nested[domain % Slots] = ++Now;

    /// <summary>Everything of one PASID of a domain.</summary>
    public void InvalidatePasid(ushort domain, uint pasid) => _pasids[PasidSlot(domain, pasid)] = ++Now;

    /// <summary>The tick from which on a device's context is alive.</summary>
    public ulong AliveFrom(DeviceId device) => Math.Max(_everything, _devices[device.Value % Slots]);

    /// <summary>The tick from which on what comes from a domain's second stage is alive.</summary>
    public ulong DomainAliveFrom(ushort domain) => Math.Max(_everything, _domains[domain % Slots]);

    /// <summary>The tick from which on what comes from a PASID's guest tables is alive.</summary>
    public ulong NestedAliveFrom(ushort domain, uint pasid) =>
        Math.Max(DomainAliveFrom(domain), Math.Max(_nested[domain % Slots], _pasids[PasidSlot(domain, pasid)]));

    private static uint PasidSlot(ushort domain, uint pasid) => (pasid * 0x9E37_79B9 + domain * 0x85EB_CA6Bu) >> 22;
}
