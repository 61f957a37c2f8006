using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_COPY.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasCopyCall : IIoctl
{
    public uint Size;
    public IoasMapOptions Flags;
    public uint DstIoasId;
    public uint SrcIoasId;
    public ulong Length;
    public ulong DstIova;
    public ulong SrcIova;

    public static int MinimumSize => 40;

    public Errno Run(in IoctlCaller caller)
    {
        Ioas.CheckFlags(Flags, DstIova, Length);
        Ioas source = caller.Find<Ioas>(SrcIoasId, "src_ioas_id");
        Ioas destination = caller.Find<Ioas>(DstIoasId, "dst_ioas_id");
        DstIova = destination.Copy(Flags, source, SrcIova, Length, DstIova);
        return Errno.None;
    }
}
