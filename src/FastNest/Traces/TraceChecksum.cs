using System.Buffers.Binary;
using System.Numerics;

namespace FastNest.Traces;

/// <summary>CRC-32C (RFC 3720, section 12.1), without its inversions at both ends.</summary>
internal static class TraceChecksum
{
    public static uint Of(uint checksum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            checksum = BitOperations.Crc32C(checksum, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte one in bytes)
        {
            checksum = BitOperations.Crc32C(checksum, one);
        }

        return checksum;
    }
}
