using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_CHANGE_PROCESS.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasChangeProcessCall : IIoctl
{
    public uint Size;
    public uint Reserved;

    public static int MinimumSize => 8;

    public readonly Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        caller.Context.ChangeProcess(caller.Process);
        return Errno.None;
    }
}
