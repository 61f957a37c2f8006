using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasAllocCall : IIoctl
{
    public uint Size;
    public uint Flags;
    public uint OutIoasId;

    public static int MinimumSize => 12;

    public Errno Run(in IoctlCaller caller)
    {
        OutIoasId = caller.Context.CreateIoas(Flags).Id;
        return Errno.None;
    }
}
