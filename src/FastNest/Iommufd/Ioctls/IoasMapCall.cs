using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_MAP.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasMapCall : IIoctl
{
    public uint Size;
    public IoasMapOptions Flags;
    public uint IoasId;
    public uint Reserved;
    public ulong UserVa;
    public ulong Length;
    public ulong Iova;

    public static int MinimumSize => 40;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        Ioas.CheckFlags(Flags, Iova, Length);
        Iova = caller.Find<Ioas>(IoasId, "ioas_id").Map(Flags, UserVa, Length, Iova, caller.Process);
        return Errno.None;
    }
}
