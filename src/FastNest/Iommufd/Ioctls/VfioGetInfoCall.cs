using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>VFIO_IOMMU_GET_INFO: page sizes, and a chain of capabilities behind the structure as far as there is room.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VfioGetInfoCall
{
    private const int KnownSize = 16;
    private const int FullSize = 24;
    private const uint HasPageSizes = 1;
    private const uint HasCapabilities = 2;
    private const int HeaderSize = 8;
    private const int RangesSize = HeaderSize + 8;
    private const int AvailableSize = HeaderSize + 8; // four bytes, and what aligns the next to eight
    private const ushort IovaRanges = 1;
    private const ushort DmaAvailable = 3;

    public uint Argsz;
    public uint Flags;
    public ulong IovaPgsizes;
    public uint CapOffset;
    public uint Pad;

    public static int Run(Span<byte> argument, in IoctlCaller caller)
    {
        VfioGetInfoCall call = VfioFrame.Take<VfioGetInfoCall>(argument, KnownSize);
        Ioas ioas = VfioTable.Ioas(in caller);
        byte[] capabilities = Capabilities(ioas, out call.IovaPgsizes);
        int told = (int)Math.Min(call.Argsz, FullSize);
        bool hasRoom = call.Argsz >= FullSize + capabilities.Length;
        if (hasRoom)
        {
            VfioFrame.Put(argument, FullSize, capabilities);
        }

        call.Argsz = (uint)(FullSize + capabilities.Length);
        call.Flags = HasPageSizes | HasCapabilities;
        call.CapOffset = hasRoom ? FullSize : 0U;
        VfioFrame.Put(argument, 0, MemoryMarshal.AsBytes(new ReadOnlySpan<VfioGetInfoCall>(in call))[..told]);
        return 0;
    }

    /// <summary>The IOVAs that may be used, and how many more mappings there may be: no number known, so as many as the kernel tells.</summary>
    private static byte[] Capabilities(Ioas ioas, out ulong alignment)
    {
        IovaRange[] ranges = [];
        int count;
        while (ioas.GetIovaRanges(ranges, out count, out alignment) != Errno.None)
        {
            ranges = new IovaRange[count];
        }

        int ofRanges = RangesSize + count * 16;
        var bytes = new byte[ofRanges + AvailableSize];
        Header(bytes, IovaRanges, FullSize + ofRanges);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(HeaderSize), count);
        MemoryMarshal.AsBytes(ranges.AsSpan(0, count)).CopyTo(bytes.AsSpan(RangesSize));
        Header(bytes.AsSpan(ofRanges), DmaAvailable, 0);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ofRanges + HeaderSize), ushort.MaxValue);
        return bytes;
    }

    private static void Header(Span<byte> at, ushort id, int next)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(at, id);
        BinaryPrimitives.WriteUInt16LittleEndian(at[2..], 1); // version
        BinaryPrimitives.WriteInt32LittleEndian(at[4..], next);
    }
}
