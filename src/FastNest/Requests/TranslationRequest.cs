using System.Runtime.InteropServices;

namespace FastNest.Requests;

/// <summary>
/// One request of a device: sixteen bytes, passed by reference or in batches.
/// It lies within one 4 KiB page; an access that spans pages is several requests.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct TranslationRequest
{
    /// <summary>The number of PASID bits in a PCIe prefix.</summary>
    public const int PasidBits = 20;

    private const uint PasidMask = (1u << PasidBits) - 1;
    internal const int PasidPresentBit = 52;
    private const ulong PasidPresent = 1UL << PasidPresentBit;
    internal const int PrivilegedShift = 53;
    private const ulong PrivilegedBit = 1UL << PrivilegedShift;
    private const int PasidShift = 32;
    internal const int KindShift = 54;
    internal const ulong KindMask = 3UL << KindShift;
    internal const int AccessShift = 56;

    private readonly ulong _iova;

    /// <summary>
    /// Who asks, and for what:
    /// <code>
    /// 63    56 55  54 53   52    51   32 31    0
    /// | access | kind | priv | has | PASID | device |
    /// </code>
    /// </summary>
    private readonly ulong _requester;

    /// <summary>Makes a request without a PASID.</summary>
    /// <param name="device">Who asks.</param>
    /// <param name="iova">The device address, any 64-bit value.</param>
    /// <param name="access">What is done to memory there.</param>
    public TranslationRequest(DeviceId device, ulong iova, Access access)
    {
        _iova = iova;
        _requester = device.Value | (ulong)access << AccessShift;
    }

    /// <summary>Makes a request with a PASID prefix.</summary>
    /// <param name="device">Who asks.</param>
    /// <param name="pasid">0 to 1,048,575.</param>
    /// <param name="iova">The device address, any 64-bit value.</param>
    /// <param name="access">What is done to memory there.</param>
    /// <param name="privileged">Whether the prefix asks for supervisor privilege.</param>
    /// <exception cref="ArgumentOutOfRangeException">The PASID does not fit 20 bits.</exception>
    public TranslationRequest(DeviceId device, uint pasid, ulong iova, Access access, bool privileged = false)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pasid, PasidMask);
        _iova = iova;
        _requester = device.Value | (ulong)pasid << PasidShift | PasidPresent | (privileged ? PrivilegedBit : 0)
            | (ulong)access << AccessShift;
    }

    /// <summary>The device address.</summary>
    public ulong Iova
    {
        get => _iova;
        init => _iova = value;
    }

    /// <summary>Who asks.</summary>
    public DeviceId Device
    {
        get => new((uint)_requester);
        init => _requester = (_requester & ~(ulong)uint.MaxValue) | value.Value;
    }

    /// <summary>Whether the request carries a PASID.</summary>
    public bool HasPasid => (_requester & PasidPresent) != 0;

    /// <summary>The PASID; 0 when there is none.</summary>
    public uint Pasid => (uint)(_requester >> PasidShift) & PasidMask;

    /// <summary>Whether supervisor privilege is asked for.</summary>
    public bool Privileged => (_requester & PrivilegedBit) != 0;

    /// <summary>What the address is: untranslated unless said otherwise.</summary>
    public RequestKind Kind
    {
        get => (RequestKind)((_requester & KindMask) >> KindShift);
        init => _requester = (_requester & ~KindMask) | ((ulong)value << KindShift & KindMask);
    }

    /// <summary>What is done to memory; for a translation request, what the device would like to do.</summary>
    public Access Access => (Access)(_requester >> AccessShift);

    /// <summary>Everything but the address.</summary>
    internal ulong Requester => _requester;
}
