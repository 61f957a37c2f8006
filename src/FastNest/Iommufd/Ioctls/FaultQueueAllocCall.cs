using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_FAULT_QUEUE_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FaultQueueAllocCall : IIoctl
{
    public uint Size;
    public uint Flags;
    public uint OutFaultId;
    public int OutFaultFd;

    public static int MinimumSize => 16;

    public Errno Run(in IoctlCaller caller)
    {
        FaultQueue queue = caller.Context.AllocateFaultQueue(Flags);
        OutFaultId = queue.Id;
        OutFaultFd = caller.Context.Files.Open(queue);
        return Errno.None;
    }
}
