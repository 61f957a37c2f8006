using System.Runtime.CompilerServices;

namespace FastNest.Requests;

/// <summary>Who sends a run of requests: a device, with or without a PASID.</summary>
/// <param name="Device">The device.</param>
/// <param name="Pasid">0 to 1,048,575, or null without one.</param>
/// <param name="Privileged">Whether supervisor privilege is asked for; counts only with a PASID.</param>
public readonly record struct Requester(DeviceId Device, uint? Pasid = null, bool Privileged = false)
{
    /// <summary>Makes one of its requests.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The PASID does not fit 20 bits.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TranslationRequest Request(ulong iova, Access access) => Pasid is { } pasid
        ? new(Device, pasid, iova, access, Privileged)
        : new(Device, iova, access);
}
