using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace FastNest.Memory;

/// <summary>
/// Loads the memory of a machine from an ELF64 little-endian core file, as QEMU's dump-guest-memory writes it: each
/// PT_LOAD segment becomes an owned region at its physical address (System V ABI, chapters 4 and 5).
/// </summary>
public static class ElfCore
{
    private const int FileHeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const uint ManyHeaders = 0xFFFF;
    private const uint MaximumHeaders = 1 << 20;

    /// <summary>Maps every PT_LOAD segment of a file; on an error the space is left as it was.</summary>
    /// <param name="path">The file.</param>
    /// <param name="space">Receives the regions.</param>
    /// <returns>The new regions, in the order of the program headers.</returns>
    /// <exception cref="ElfCoreException">The file is missing, truncated, or has headers that make no sense.</exception>
    public static IReadOnlyList<MemoryRegion> Load(string path, GuestPhysicalSpace space)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(space);
        var regions = new List<MemoryRegion>();
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            long length = RandomAccess.GetLength(file);
            List<Segment> segments = ReadSegments(file, length, path);
            foreach (Segment segment in segments)
            {
                regions.Add(Map(segment, space, path));
                Fill(file, segment, regions[^1], path);
            }

            return regions;
        }
        catch (Exception exception)
        {
            regions.ForEach(space.Remove);
            if (exception is IOException or UnauthorizedAccessException)
            {
                throw new ElfCoreException($"{path}: {exception.Message}", exception);
            }

            throw;
        }
    }

    private static List<Segment> ReadSegments(SafeFileHandle file, long length, string path)
    {
        Span<byte> header = stackalloc byte[FileHeaderSize];
        ReadAt(file, header, 0, length, path, "ELF header");
        Check(header[..4].SequenceEqual("\u007fELF"u8), path, 0, "expected the ELF magic 7f 45 4c 46");
        Check(header[4] == 2, path, 4, $"expected ELF class 2 (64 bit), found {header[4]}");
        Check(header[5] == 1, path, 5, $"expected data encoding 1 (little-endian), found {header[5]}");
        ushort type = BinaryPrimitives.ReadUInt16LittleEndian(header[16..]);
        Check(type == 4, path, 16, $"expected file type 4 (ET_CORE), found {type}");
        ushort entrySize = BinaryPrimitives.ReadUInt16LittleEndian(header[54..]);
        Check(entrySize == ProgramHeaderSize, path, 54, $"expected program headers of {ProgramHeaderSize} bytes, found {entrySize}");
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        uint count = BinaryPrimitives.ReadUInt16LittleEndian(header[56..]);
        if (count == ManyHeaders)
        {
            // PN_XNUM: the count stands in sh_info of the first section header.
            Span<byte> section = stackalloc byte[SectionHeaderSize];
            ulong sections = BinaryPrimitives.ReadUInt64LittleEndian(header[40..]);
            Check(sections != 0, path, 40, "expected a section header, which holds the count of program headers, found none");
            ReadAt(file, section, sections, length, path, "first section header");
            count = BinaryPrimitives.ReadUInt32LittleEndian(section[44..]);
        }

        Check(count <= MaximumHeaders, path, 56, $"{count} program headers, more than the limit of {MaximumHeaders}");
        var segments = new List<Segment>();
        Span<byte> entry = stackalloc byte[ProgramHeaderSize];
        for (uint i = 0; i < count; i++)
        {
            ulong at = table + i * ProgramHeaderSize;
            ReadAt(file, entry, at, length, path, $"program header {i}");
            if (BinaryPrimitives.ReadUInt32LittleEndian(entry) == 1)
            {
                segments.Add(CheckedSegment(entry, i, (long)at, length, path));
            }
        }

        Check(segments.Count > 0, path, (long)table, "no PT_LOAD segment");
        return segments;
    }

    private static Segment CheckedSegment(ReadOnlySpan<byte> entry, uint index, long at, long length, string path)
    {
        var segment = new Segment(
            index,
            at,
            BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]),
            BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]),
            BinaryPrimitives.ReadUInt64LittleEndian(entry[40..]));
        Check(
            segment.FileSize <= segment.MemorySize,
            path,
            at + 32,
            $"segment {index}: p_filesz 0x{segment.FileSize:x} is larger than p_memsz 0x{segment.MemorySize:x}");
        Check(
            segment.Offset <= (ulong)length && segment.FileSize <= (ulong)length - segment.Offset,
            path,
            at + 8,
            $"segment {index}: bytes 0x{segment.Offset:x}+0x{segment.FileSize:x} lie beyond the file's end 0x{length:x}");
        return segment;
    }

    private static MemoryRegion Map(Segment segment, GuestPhysicalSpace space, string path)
    {
        try
        {
            return space.AddOwned(segment.Physical, segment.MemorySize);
        }
        catch (MemoryMapException exception)
        {
            throw new ElfCoreException($"{path}: offset 0x{segment.Header:x}: segment {segment.Index}: {exception.Message}", exception);
        }
    }

    private static void Fill(SafeFileHandle file, Segment segment, MemoryRegion region, string path)
    {
        ulong done = 0;
        while (done < segment.FileSize)
        {
            int read = RandomAccess.Read(file, region.Bytes(done, segment.FileSize - done), (long)(segment.Offset + done));
            if (read == 0)
            {
                throw new ElfCoreException($"{path}: offset 0x{segment.Offset + done:x}: the file ended within segment {segment.Index}");
            }

            done += (ulong)read;
        }
    }

    private static void ReadAt(SafeFileHandle file, Span<byte> bytes, ulong offset, long length, string path, string what)
    {
        if (offset > (ulong)length
            || (ulong)bytes.Length > (ulong)length - offset
            || RandomAccess.Read(file, bytes, (long)offset) != bytes.Length)
        {
            throw new ElfCoreException($"{path}: offset 0x{offset:x}: truncated: expected {bytes.Length} bytes of {what}");
        }
    }

    private static void Check(bool condition, string path, long offset, string problem)
    {
        if (!condition)
        {
            throw new ElfCoreException($"{path}: offset 0x{offset:x}: {problem}");
        }
    }

    private readonly record struct Segment(uint Index, long Header, ulong Offset, ulong Physical, ulong FileSize, ulong MemorySize);
}
