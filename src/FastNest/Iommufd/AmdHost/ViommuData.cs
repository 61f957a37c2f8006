using System.Buffers.Binary;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// VIOMMU_ALLOC's data of type 3, after the development tree of AMD (digest section 8.9): four 32-bit words, the host's IOMMU
/// (out), the VM's (in), the translation device (out) and the guest id (out), then where its page can be mapped (out, 64 bits).
/// </summary>
internal readonly struct ViommuData
{
    /// <summary>Bytes of the structure; without any nothing is told.</summary>
    public const int Length = 24;

    private const int HostIommu = 0;
    private const int TranslateDevice = 8;
    private const int Guest = 12;
    private const int PageOffset = 16;

    private readonly Memory<byte> _bytes;

    /// <exception cref="IommufdException">EINVAL: too short.</exception>
    public ViommuData(Memory<byte> bytes)
    {
        if (!bytes.IsEmpty && bytes.Length < Length)
        {
            throw new IommufdException(Errno.EINVAL, "data_len", (ulong)bytes.Length, $"must be 0 or at least {Length}");
        }

        _bytes = bytes;
    }

    public void Write(DeviceId iommu, DeviceId translate, ushort guest)
    {
        if (!_bytes.IsEmpty)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.Span[HostIommu..], iommu.Value);
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.Span[TranslateDevice..], translate.Value);
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.Span[Guest..], guest);
        }
    }

    public void WritePageOffset(ulong offset)
    {
        if (!_bytes.IsEmpty)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_bytes.Span[PageOffset..], offset);
        }
    }
}
