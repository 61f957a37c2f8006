using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_VEVENTQ_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VeventqAllocCall : IIoctl
{
    public uint Size;
    public uint Flags;
    public uint ViommuId;
    public uint Type;
    public uint VeventqDepth;
    public uint OutVeventqId;
    public int OutVeventqFd;
    public uint Reserved;

    public static int MinimumSize => 28;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        EventQueue queue = caller.Context.AllocateEventQueue(ViommuId, Type, VeventqDepth, Flags);
        OutVeventqId = queue.Id;
        OutVeventqFd = caller.Context.Files.Open(queue);
        return Errno.None;
    }
}
