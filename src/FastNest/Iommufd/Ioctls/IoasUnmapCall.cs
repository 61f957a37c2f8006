using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_UNMAP.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasUnmapCall : IIoctl
{
    public uint Size;
    public uint IoasId;
    public ulong Iova;
    public ulong Length;

    public static int MinimumSize => 24;

    public Errno Run(in IoctlCaller caller)
    {
        Length = caller.Find<Ioas>(IoasId, "ioas_id").Unmap(Iova, Length);
        return Errno.None;
    }
}
