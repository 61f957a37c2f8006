using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_HWPT_SET_DIRTY_TRACKING.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HwptSetDirtyTrackingCall : IIoctl
{
    private const uint Enable = 1;

    public uint Size;
    public uint Flags;
    public uint HwptId;
    public uint Reserved;

    public static int MinimumSize => 16;

    public readonly Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireKnown("flags", Flags, Enable);
        IoctlCaller.RequireZero("reserved", Reserved);
        caller.Find<HwptPaging>(HwptId, "hwpt_id").SetDirtyTracking((Flags & Enable) != 0);
        return Errno.None;
    }
}
