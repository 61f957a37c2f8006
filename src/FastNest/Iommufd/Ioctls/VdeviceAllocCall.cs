using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_VDEVICE_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VdeviceAllocCall : IIoctl
{
    public uint Size;
    public uint ViommuId;
    public uint DevId;
    public uint OutVdeviceId;
    public ulong VirtId;

    public static int MinimumSize => 24;

    public Errno Run(in IoctlCaller caller)
    {
        OutVdeviceId = caller.Context.AllocateVdevice(ViommuId, DevId, VirtId).Id;
        return Errno.None;
    }
}
