using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_DESTROY.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct DestroyCall : IIoctl
{
    public uint Size;
    public uint Id;

    public static int MinimumSize => 8;

    public readonly Errno Run(in IoctlCaller caller)
    {
        caller.Context.Destroy(Id);
        return Errno.None;
    }
}
