using System.Buffers.Binary;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// VIOMMU_ALLOC's data of type 3, after the development tree of AMD (digest section 8.9): four 32-bit words, the host's IOMMU
/// (out), the VM's (in), the translation device (out) and the guest id (out), then where its page can be mapped (out, 64 bits).
/// What follows is FastNest's own: flags, and with bit 0 the IOAS and the IOVAs of the id tables that the VMM gives (in).
/// </summary>
internal readonly struct ViommuData
{
    /// <summary>Bytes of the structure that is told at least; without any nothing is.</summary>
    public const int Length = 24;

    /// <summary>Bytes with the id tables.</summary>
    public const int FullLength = 48;

    private const int HostIommu = 0;
    private const int TranslateDevice = 8;
    private const int Guest = 12;
    private const int PageOffset = 16;
    private const int Flags = 24;
    private const int TablesIoas = 28;
    private const int DeviceTable = 32;
    private const int DomainTable = 40;
    private const uint HasTables = 1;

    private readonly Memory<byte> _bytes;

    /// <exception cref="IommufdException">EINVAL: too short.</exception>
    public ViommuData(Memory<byte> bytes)
    {
        if (!bytes.IsEmpty && bytes.Length < Length)
        {
            throw new IommufdException(Errno.EINVAL, "data_len", (ulong)bytes.Length, $"must be 0 or at least {Length}");
        }

        // Looked at before anything is made: they may be in a caller's memory, or not.
        _bytes = bytes;
        uint flags = bytes.Span.Length < FullLength ? 0 : Word(Flags);
        if (flags > HasTables)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "flags", flags, $"must be 0 or {HasTables}");
        }
    }

    /// <summary>The id tables that the VMM gives; null when the driver is to have its own.</summary>
    /// <param name="context">Whose IOAS they are in.</param>
    /// <exception cref="IommufdException">ENOENT: there is no such IOAS. Others: as the tables' own.</exception>
    public VmmTables? OpenTables(IommufdContext context) => _bytes.Length < FullLength || Word(Flags) == 0
        ? null
        : new(
            context.Objects.Find<Ioas>(Word(TablesIoas), "tables_ioas_id"),
            BinaryPrimitives.ReadUInt64LittleEndian(_bytes.Span[DeviceTable..]),
            BinaryPrimitives.ReadUInt64LittleEndian(_bytes.Span[DomainTable..]));

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

    private uint Word(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(_bytes.Span[offset..]);
}
