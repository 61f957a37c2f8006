using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_HW_QUEUE_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HwQueueAllocCall : IIoctl
{
    public uint Size;
    public uint Flags;
    public uint ViommuId;
    public uint Type;
    public uint Index;
    public uint OutHwQueueId;
    public ulong NestingParentIova;
    public ulong Length;

    public static int MinimumSize => 40;

    public Errno Run(in IoctlCaller caller)
    {
        OutHwQueueId = caller.Context.AllocateHardwareQueue(ViommuId, Type, Index, NestingParentIova, Length, Flags).Id;
        return Errno.None;
    }
}
