using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>VFIO_IOMMU_MAP_DMA.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VfioMapDmaCall
{
    private const int KnownSize = 32;
    private const uint Read = 1;
    private const uint Write = 2;

    public uint Argsz;
    public uint Flags;
    public ulong Vaddr;
    public ulong Iova;
    public ulong Size;

    public static int Run(ReadOnlySpan<byte> argument, in IoctlCaller caller)
    {
        VfioMapDmaCall call = VfioFrame.Take<VfioMapDmaCall>(argument, KnownSize);
        VfioFrame.RequireKnown(call.Flags, Read | Write);
        IoasMapOptions flags = IoasMapOptions.FixedIova
            | ((call.Flags & Read) != 0 ? IoasMapOptions.Readable : IoasMapOptions.None)
            | ((call.Flags & Write) != 0 ? IoasMapOptions.Writeable : IoasMapOptions.None);
        VfioTable.Ioas(in caller).Map(flags, call.Vaddr, call.Size, call.Iova, caller.Process);
        return 0;
    }
}
