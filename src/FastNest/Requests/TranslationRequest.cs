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
    private const uint PasidPresent = 1u << 20;
    private const uint PrivilegedBit = 1u << 21;
    private const int KindShift = 22;
    private const uint KindMask = 3u << KindShift;
    private const int AccessShift = 24;

    private readonly uint _attributes;

    /// <summary>Makes a request without a PASID.</summary>
    /// <param name="device">Who asks.</param>
    /// <param name="iova">The device address, any 64-bit value.</param>
    /// <param name="access">What is done to memory there.</param>
    public TranslationRequest(DeviceId device, ulong iova, Access access)
    {
        Iova = iova;
        Device = device;
        _attributes = (uint)access << AccessShift;
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
        Iova = iova;
        Device = device;
        _attributes = pasid | PasidPresent | (privileged ? PrivilegedBit : 0) | (uint)access << AccessShift;
    }

    /// <summary>The device address.</summary>
    public ulong Iova { get; init; }

    /// <summary>Who asks.</summary>
    public DeviceId Device { get; init; }

    /// <summary>Whether the request carries a PASID.</summary>
    public bool HasPasid => (_attributes & PasidPresent) != 0;

    /// <summary>The PASID; 0 when there is none.</summary>
    public uint Pasid => _attributes & PasidMask;

    /// <summary>Whether supervisor privilege is asked for.</summary>
    public bool Privileged => (_attributes & PrivilegedBit) != 0;

    /// <summary>What the address is: untranslated unless said otherwise.</summary>
    public RequestKind Kind
    {
        get => (RequestKind)((_attributes & KindMask) >> KindShift);
        init => _attributes = (_attributes & ~KindMask) | ((uint)value << KindShift & KindMask);
    }

    /// <summary>What is done to memory; for a translation request, what the device would like to do.</summary>
    public Access Access => (Access)(_attributes >> AccessShift);
}
