using System.Buffers.Binary;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Memory;

public sealed class ElfCoreTests : IDisposable
{
    private const int Segments = 64; // file offset of the program headers
    private const int Data = 0x1000; // file offset of the first segment's bytes

    private readonly string _path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".core");
    private readonly GuestPhysicalSpace _space = new();

    public static TheoryData<string, Action<byte[]>, string> Malformed => new()
    {
        { "bad magic", static file => file[3] = (byte)'G', "offset 0x0" },
        { "32-bit class", static file => file[4] = 1, "offset 0x4" },
        { "big-endian", static file => file[5] = 2, "offset 0x5" },
        { "not a core", static file => file[16] = 2, "offset 0x10" },
        { "type in the high byte", static file => file[17] = 4, "offset 0x10" },
        { "phentsize 0", static file => Set16(file, 54, 0), "offset 0x36" },
        { "phentsize 64", static file => Set16(file, 54, 64), "offset 0x36" },
        { "no headers", static file => Set16(file, 56, 0), "no PT_LOAD" },
        { "table beyond the end", static file => Set64(file, 32, 1 << 30), "offset 0x40000000" },
        { "absurd table offset", static file => Set64(file, 32, ulong.MaxValue - 7), "offset 0xfffffffffffffff8" },
        { "table cut short", static file => Set64(file, 32, (ulong)file.Length - 56), "program header 1" },
        { "more headers than file", static file => Set16(file, 56, 0xFFFE), "program header" },
        { "PN_XNUM without sections", static file => Set16(file, 56, 0xFFFF, 40, ulong.MaxValue - 3), "section header" },
        { "PN_XNUM with no section table", static file => Set16(file, 56, 0xFFFF), "offset 0x28: expected a section header" },
        { "PN_XNUM section cut short", static file => Set16(file, 56, 0xFFFF, 40, (ulong)file.Length - 63), "section header" },
        { "PN_XNUM absurd count", static file => { Set16(file, 56, 0xFFFF, 40, 0x800); Set32(file, 0x800 + 44, uint.MaxValue); }, "4294967295" },
        { "no PT_LOAD", static file => { Set32(file, Segments, 4); Set32(file, Segments + 56, 4); }, "no PT_LOAD" },
        { "filesz above memsz", static file => Set64(file, Segments + 56 + 32, 0x2001), "segment 1" },
        { "segment beyond the end", static file => Set64(file, Segments + 8, (ulong)file.Length - 0xFFF), "segment 0" },
        { "absurd segment offset", static file => Set64(file, Segments + 56 + 8, ulong.MaxValue), "segment 1" },
        { "absurd segment sizes", static file => Set64(file, Segments + 56 + 32, ulong.MaxValue - 0xFFF, Segments + 56 + 40, ulong.MaxValue - 0xFFF), "segment 1" },
        { "misaligned paddr", static file => Set64(file, Segments + 56 + 24, 0x8_0800), "offset 0x78: segment 1" },
        { "misaligned memsz", static file => Set64(file, Segments + 56 + 40, 0x2800), "offset 0x78: segment 1" },
        { "memsz zero", static file => Set64(file, Segments + 56 + 32, 0, Segments + 56 + 40, 0), "offset 0x78: segment 1" },
        { "overlap", static file => Set64(file, Segments + 56 + 24, 0x1_0000), "offset 0x78: segment 1" },
        { "beyond 52 bits", static file => Set64(file, Segments + 56 + 24, 1UL << 52), "offset 0x78: segment 1" },
        { "absurd memsz", static file => Set64(file, Segments + 56 + 40, 1UL << 60), "offset 0x78: segment 1" },
    };

    public void Dispose()
    {
        _space.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void SegmentsBecomeRegionsAtTheirPhysicalAddresses()
    {
        File.WriteAllBytes(_path, Good());
        IReadOnlyList<MemoryRegion> regions = ElfCore.Load(_path, _space);
        Assert.Equal([(0x1_0000UL, 0x1000UL), (0x8_0000UL, 0x2000UL)], regions.Select(static region => (region.Start, region.Length)));
        Assert.Equal(regions, _space.Regions);
        Assert.Equal(MemoryStatus.Ok, _space.Load64(0x1_0000, out ulong value));
        Assert.Equal(0x0706_0504_0302_0100UL, value);
        byte[] second = new byte[0x2000];
        Assert.Equal(MemoryStatus.Ok, _space.Read(0x8_0000, second, out _));
        Assert.Equal(0x55, second[0x17FF]);
        Assert.All(second[0x1800..], static rest => Assert.Equal(0, rest)); // p_filesz below p_memsz
    }

    [Fact]
    public void ManyHeadersCountInTheFirstSection()
    {
        byte[] file = Good();
        Set16(file, 56, 0xFFFF, 40, 0x800);
        Set32(file, 0x800 + 44, 2);
        File.WriteAllBytes(_path, file);
        Assert.Equal(2, ElfCore.Load(_path, _space).Count);
    }

    [Fact]
    public void OtherProgramHeadersAreSkipped()
    {
        byte[] file = Good();
        Set32(file, Segments, 4); // PT_NOTE
        File.WriteAllBytes(_path, file);
        Assert.Equal(0x8_0000UL, Assert.Single(ElfCore.Load(_path, _space)).Start);
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void AMalformedFileIsRefusedAndTheSpaceLeftAsItWas(string what, Action<byte[]> damage, string place)
    {
        MemoryRegion before = _space.AddOwned(0, 0x1000);
        byte[] file = Good();
        damage(file);
        Refused(file, place, what);
        Assert.Equal([before], _space.Regions);
    }

    [Theory]
    [InlineData(0, "offset 0x0")]
    [InlineData(63, "offset 0x0")]
    [InlineData(64, "program header 0")]
    [InlineData(64 + 55, "program header 0")]
    [InlineData(64 + 56, "segment 0")]
    [InlineData(Data + 0x1000 + 0x17FF, "segment 1")]
    public void ATruncatedFileIsRefused(int length, string place)
    {
        Refused(Good()[..length], place, "truncated");
        Assert.Empty(_space.Regions);
    }

    [Fact]
    public void AnOverlapWithWhatIsThereIsRefused()
    {
        MemoryRegion before = _space.AddOwned(0x8_1000, 0x1000);
        Refused(Good(), "segment 1", "overlap");
        Assert.Equal([before], _space.Regions);
        Assert.Equal(MemoryStatus.Hole, _space.Load64(0x1_0000, out _));
    }

    [Fact]
    public void AMissingFileAndAFolderAreRefused()
    {
        foreach (string path in new[] { _path + ".none", Path.GetTempPath() })
        {
            var exception = Assert.Throws<ElfCoreException>(() => ElfCore.Load(path, _space));
            Assert.Contains(path, exception.Message, StringComparison.Ordinal);
            Assert.NotNull(exception.InnerException);
        }
    }

    [Fact]
    public void NullArgumentsAreRefused()
    {
        Assert.Throws<ArgumentNullException>(() => ElfCore.Load(null!, _space));
        Assert.Throws<ArgumentNullException>(() => ElfCore.Load(_path, null!));
    }

    private static byte[] Good()
    {
        byte[] file = new byte[Data + 0x1000 + 0x1800];
        "\u007fELF"u8.CopyTo(file);
        (file[4], file[5], file[6]) = (2, 1, 1);
        Set16(file, 16, 4);
        Set16(file, 18, 62);
        Set64(file, 32, Segments);
        Set16(file, 54, 56);
        Set16(file, 56, 2);
        Header(file, 0, Data, 0x1_0000, 0x1000, 0x1000);
        Header(file, 1, Data + 0x1000, 0x8_0000, 0x1800, 0x2000);
        for (int i = 0; i < 0x1000; i++)
        {
            file[Data + i] = (byte)i;
        }

        file.AsSpan(Data + 0x1000).Fill(0x55);
        return file;
    }

    private static void Header(byte[] file, int index, ulong offset, ulong physical, ulong fileSize, ulong memorySize)
    {
        int at = Segments + index * 56;
        Set32(file, at, 1);
        Set64(file, at + 8, offset);
        Set64(file, at + 16, 0xFFFF_8000_0000_0000); // the virtual address plays no part
        Set64(file, at + 24, physical);
        Set64(file, at + 32, fileSize);
        Set64(file, at + 40, memorySize);
    }

    private static void Set16(byte[] file, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), value);

    private static void Set16(byte[] file, int at, ushort value, int otherAt, ulong other)
    {
        Set16(file, at, value);
        Set64(file, otherAt, other);
    }

    private static void Set32(byte[] file, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at), value);

    private static void Set64(byte[] file, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(at), value);

    private static void Set64(byte[] file, int at, ulong value, int otherAt, ulong other)
    {
        Set64(file, at, value);
        Set64(file, otherAt, other);
    }

    private void Refused(byte[] file, string place, string what)
    {
        File.WriteAllBytes(_path, file);
        var exception = Assert.Throws<ElfCoreException>(() => ElfCore.Load(_path, _space));
        Assert.Contains(_path, exception.Message, StringComparison.Ordinal);
        Assert.True(exception.Message.Contains(place, StringComparison.Ordinal), $"{what}: no '{place}' in: {exception.Message}");
    }
}
