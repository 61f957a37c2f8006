using System.Buffers.Binary;
using System.Security.Cryptography;
using FastNest.Memory;

namespace FastNest.Traces;

/// <summary>The first eight bytes of SHA-256 over each run of memory in a range: its start, its length, its bytes.</summary>
internal static class MemoryHash
{
    private const int Piece = 1 << 16;

    public static ulong Of(GuestPhysicalSpace memory, ulong address, ulong length)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] bytes = new byte[Piece];
        Span<byte> place = stackalloc byte[2 * sizeof(ulong)];
        ulong end = length > ulong.MaxValue - address ? ulong.MaxValue : address + length;
        foreach (MemoryRegion region in memory.Regions)
        {
            ulong from = Math.Max(region.Start, address);
            ulong to = Math.Min(region.End, end);
            if (region.Kind == MemoryRegionKind.Mmio || from >= to)
            {
                continue;
            }

            BinaryPrimitives.WriteUInt64LittleEndian(place, from);
            BinaryPrimitives.WriteUInt64LittleEndian(place[sizeof(ulong)..], to - from);
            hash.AppendData(place);
            for (ulong at = from; at < to; at += Piece)
            {
                Span<byte> piece = bytes.AsSpan(0, (int)Math.Min(Piece, to - at));
                memory.Read(at, piece, out int done);
                hash.AppendData(piece[..done]);
            }
        }

        return BinaryPrimitives.ReadUInt64LittleEndian(hash.GetHashAndReset());
    }
}
