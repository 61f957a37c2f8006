using FastNest.Requests;

namespace FastNest.Amd.Events;

/// <summary>One entry of the event log: sixteen bytes, with the fields that its code gives a meaning.</summary>
/// <param name="Word0">The first quadword, with the code in 63:60 and the flags in 59:48.</param>
/// <param name="Word1">The second quadword, an address in most events.</param>
public readonly record struct IommuEvent(ulong Word0, ulong Word1)
{
    /// <summary>What happened.</summary>
    public EventCode Code => (EventCode)EventLayout.Code.Get(Word0);

    /// <summary>The device concerned.</summary>
    public DeviceId Device => new((uint)EventLayout.DeviceID.Get(Word0));

    /// <summary>The address that the event names.</summary>
    public ulong Address => EventLayout.Address.Get(Word1);

    /// <summary>GN: the address is a guest virtual one and the domain field holds the PASID.</summary>
    public bool GN => EventLayout.GN.IsSet(Word0);

    /// <summary>NX: an instruction fetch.</summary>
    public bool NX => EventLayout.NX.IsSet(Word0);

    /// <summary>US: a user request.</summary>
    public bool US => EventLayout.US.IsSet(Word0);

    /// <summary>I: an interrupt message.</summary>
    public bool I => EventLayout.I.IsSet(Word0);

    /// <summary>PR: the page was present.</summary>
    public bool PR => EventLayout.PR.IsSet(Word0);

    /// <summary>RW: a write.</summary>
    public bool RW => EventLayout.RW.IsSet(Word0);

    /// <summary>PE: permission was denied.</summary>
    public bool PE => EventLayout.PE.IsSet(Word0);

    /// <summary>RZ: a reserved bit was set.</summary>
    public bool RZ => EventLayout.RZ.IsSet(Word0);

    /// <summary>TR: a translation request.</summary>
    public bool TR => EventLayout.TR.IsSet(Word0);

    /// <summary>The DomainID; meaningless with <see cref="GN"/>.</summary>
    public ushort Domain => (ushort)EventLayout.DomainID.Get(Word0);
}
