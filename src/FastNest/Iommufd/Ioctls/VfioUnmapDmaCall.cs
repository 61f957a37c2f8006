using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>VFIO_IOMMU_UNMAP_DMA: other than IOMMU_IOAS_UNMAP, it succeeds where nothing is mapped, and may cut mappings of the old kind.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VfioUnmapDmaCall
{
    private const int KnownSize = 24;
    private const uint All = 2;

    public uint Argsz;
    public uint Flags;
    public ulong Iova;
    public ulong Size;

    public static int Run(Span<byte> argument, in IoctlCaller caller)
    {
        VfioUnmapDmaCall call = VfioFrame.Take<VfioUnmapDmaCall>(argument, KnownSize);
        VfioFrame.RequireKnown(call.Flags, All);
        Ioas ioas = VfioTable.Ioas(in caller);
        call.Size = (call.Flags & All) == 0 ? ioas.UnmapSome(call.Iova, call.Size) : UnmapAll(ioas, call.Iova, call.Size);
        VfioFrame.Put(argument, 0, MemoryMarshal.AsBytes(new ReadOnlySpan<VfioUnmapDmaCall>(in call)));
        return 0;
    }

    private static ulong UnmapAll(Ioas ioas, ulong iova, ulong size) => (iova | size) == 0
        ? ioas.Unmap(0, ulong.MaxValue)
        : throw new IommufdException(Errno.EINVAL, "iova", iova, $"and size 0x{size:x} must be zero with VFIO_DMA_UNMAP_FLAG_ALL");
}
