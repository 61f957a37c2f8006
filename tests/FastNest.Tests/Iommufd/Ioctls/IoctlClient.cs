using System.Buffers.Binary;
using FastNest.Iommufd;
using FastNest.Memory;

namespace FastNest.Tests.Iommufd.Ioctls;

/// <summary>
/// A program written for /dev/iommu: it knows command words, and the bytes of structures as the digest of iommufd lists them
/// (section 1), and nothing of the typed objects. What it points at stands at <see cref="Scratch"/>.
/// </summary>
internal sealed class IoctlClient(IommufdContext context, GuestPhysicalSpace memory)
{
    /// <summary>Where the process has 64 KiB for arrays; nothing else uses them.</summary>
    public const ulong Scratch = IoasMachine.User + ScratchPhysical;

    private const ulong ScratchPhysical = 0x300_0000;

    /// <summary>All commands: number, full and smallest size.</summary>
    public static readonly (uint Number, int Full, int Minimum)[] Commands =
    [
        (0x80, 8, 8), (0x81, 12, 12), (0x82, 24, 24), (0x83, 40, 40), (0x84, 32, 32), (0x85, 40, 40), (0x86, 24, 24), (0x87, 24, 24),
        (0x88, 12, 12), (0x89, 48, 24), (0x8A, 40, 32), (0x8B, 16, 16), (0x8C, 48, 48), (0x8D, 32, 32), (0x8E, 16, 16), (0x8F, 40, 40),
        (0x90, 40, 24), (0x91, 24, 24), (0x92, 8, 8), (0x93, 32, 28), (0x94, 40, 40),
    ];

    public UserAddressSpace? Caller { get; set; }

    public static byte[] Structure(int size, params (int Offset, ulong Value, int Bytes)[] fields)
    {
        byte[] bytes = new byte[size];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)size);
        foreach ((int offset, ulong value, int length) in fields)
        {
            for (int i = 0; i < length; i++)
            {
                bytes[offset + i] = (byte)(value >> (8 * i));
            }
        }

        return bytes;
    }

    public static uint Word(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    public static ulong Long(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[offset..]);

    public Errno Call(uint number, byte[] bytes) => (Errno)(-context.Ioctl(';' << 8 | number, bytes, Caller));

    public Errno Destroy(uint id) => Call(0x80, Structure(8, (4, id, 4)));

    public uint AllocateIoas() => Made(0x81, Structure(12), 8);

    public Errno Allow(uint ioas, params IovaRange[] ranges)
    {
        Put(Longs(ranges));
        return Call(0x82, Structure(24, (4, ioas, 4), (8, (uint)ranges.Length, 4), (16, Scratch, 8)));
    }

    public Errno Copy(uint destination, uint source, ulong length, ref ulong iova, ulong sourceIova, uint flags = 7)
    {
        byte[] bytes = Structure(40, (4, flags, 4), (8, destination, 4), (12, source, 4), (16, length, 8), (24, iova, 8), (32, sourceIova, 8));
        Errno errno = Call(0x83, bytes);
        iova = Long(bytes, 24);
        return errno;
    }

    /// <summary>As many ranges as fit, of how many, and the alignment.</summary>
    public Errno Ranges(uint ioas, uint room, out IovaRange[] ranges, out uint count, out ulong alignment)
    {
        byte[] bytes = Structure(32, (4, ioas, 4), (8, room, 4), (16, Scratch, 8));
        Errno errno = Call(0x84, bytes);
        count = Word(bytes, 8);
        alignment = Long(bytes, 24);
        byte[] told = Get((int)Math.Min(count, room) * 16);
        ranges = [.. Enumerable.Range(0, told.Length / 16).Select(i => new IovaRange(Long(told, i * 16), Long(told, i * 16 + 8)))];
        return errno;
    }

    public Errno Map(uint ioas, ulong address, ulong length, ref ulong iova, uint flags = 7)
    {
        byte[] bytes = Structure(40, (4, flags, 4), (8, ioas, 4), (16, address, 8), (24, length, 8), (32, iova, 8));
        Errno errno = Call(0x85, bytes);
        iova = Long(bytes, 32);
        return errno;
    }

    public Errno Map(uint ioas, ulong address, ulong length, ulong iova) => Map(ioas, address, length, ref iova);

    public Errno MapFile(uint ioas, int fd, ulong start, ulong length, ulong iova) => Call(
        0x8F, Structure(40, (4, 7, 4), (8, ioas, 4), (12, (uint)fd, 4), (16, start, 8), (24, length, 8), (32, iova, 8)));

    public Errno Unmap(uint ioas, ulong iova, ref ulong length)
    {
        byte[] bytes = Structure(24, (4, ioas, 4), (8, iova, 8), (16, length, 8));
        Errno errno = Call(0x86, bytes);
        length = Long(bytes, 16);
        return errno;
    }

    public Errno Unmap(uint ioas, ulong iova, ulong length) => Unmap(ioas, iova, ref length);

    public Errno Option(uint option, bool get, uint id, ref ulong value)
    {
        byte[] bytes = Structure(24, (4, option, 4), (8, get ? 1U : 0, 2), (12, id, 4), (16, value, 8));
        Errno errno = Call(0x87, bytes);
        value = Long(bytes, 16);
        return errno;
    }

    public Errno VfioIoas(ushort op, ref uint ioas)
    {
        byte[] bytes = Structure(12, (4, ioas, 4), (8, op, 2));
        Errno errno = Call(0x88, bytes);
        ioas = Word(bytes, 4);
        return errno;
    }

    public Errno AllocateHwpt(
        uint device, uint pt, out uint id, uint flags = 0, uint type = 0, uint length = 0, ulong data = 0, uint faults = 0)
    {
        byte[] bytes = Structure(
            48, (4, flags, 4), (8, device, 4), (12, pt, 4), (24, type, 4), (28, length, 4), (32, data, 8), (40, faults, 4));
        Errno errno = Call(0x89, bytes);
        id = Word(bytes, 16);
        return errno;
    }

    /// <summary>A nested HWPT of the mock driver's.</summary>
    public Errno AllocateNested(uint device, uint pt, out uint id, uint flags = 0, uint faults = 0)
    {
        Put([1, 0, 0, 0]);
        return AllocateHwpt(device, pt, out id, flags, MockIommu.NestedType, 4, Scratch, faults);
    }

    public Errno Invalidate(uint id, uint type, uint entryLength, ref uint count, ulong data = Scratch)
    {
        byte[] bytes = Structure(32, (4, id, 4), (8, data, 8), (16, type, 4), (20, entryLength, 4), (24, count, 4));
        Errno errno = Call(0x8D, bytes);
        count = Word(bytes, 24);
        return errno;
    }

    public Errno AllocateFaultQueue(out uint id, out int fd)
    {
        byte[] bytes = Structure(16);
        Errno errno = Call(0x8E, bytes);
        (id, fd) = (Word(bytes, 8), (int)Word(bytes, 12));
        return errno;
    }

    public Errno AllocateViommu(uint type, uint device, uint hwpt, out uint id, uint length = 0, ulong data = 0, uint flags = 0)
    {
        byte[] bytes = Structure(40, (4, flags, 4), (8, type, 4), (12, device, 4), (16, hwpt, 4), (24, length, 4), (32, data, 8));
        Errno errno = Call(0x90, bytes);
        id = Word(bytes, 20);
        return errno;
    }

    public Errno AllocateVdevice(uint viommu, uint device, ulong virtualId, out uint id)
    {
        byte[] bytes = Structure(24, (4, viommu, 4), (8, device, 4), (16, virtualId, 8));
        Errno errno = Call(0x91, bytes);
        id = Word(bytes, 12);
        return errno;
    }

    public Errno AllocateEventQueue(uint viommu, uint type, uint depth, out uint id, out int fd)
    {
        byte[] bytes = Structure(32, (8, viommu, 4), (12, type, 4), (16, depth, 4));
        Errno errno = Call(0x93, bytes);
        (id, fd) = (Word(bytes, 20), (int)Word(bytes, 24));
        return errno;
    }

    public Errno AllocateHardwareQueue(uint viommu, uint type, uint index, ulong iova, ulong length, out uint id)
    {
        byte[] bytes = Structure(40, (8, viommu, 4), (12, type, 4), (16, index, 4), (24, iova, 8), (32, length, 8));
        Errno errno = Call(0x94, bytes);
        id = Word(bytes, 20);
        return errno;
    }

    /// <summary>Stores bytes where the process points.</summary>
    public void Put(params byte[] bytes) => memory.Write(ScratchPhysical, bytes, out _);

    /// <summary>What stands where the process points.</summary>
    public byte[] Get(int length)
    {
        byte[] bytes = new byte[length];
        memory.Read(ScratchPhysical, bytes, out _);
        return bytes;
    }

    private static byte[] Longs(IovaRange[] ranges)
    {
        byte[] bytes = new byte[ranges.Length * 16];
        for (int i = 0; i < ranges.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 16), ranges[i].First);
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 16 + 8), ranges[i].Last);
        }

        return bytes;
    }

    private uint Made(uint number, byte[] bytes, int offset) => Call(number, bytes) == Errno.None
        ? Word(bytes, offset)
        : throw new InvalidOperationException($"0x{number:x} failed");
}
