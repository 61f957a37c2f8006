using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_HWPT_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HwptAllocCall : IIoctl
{
    public uint Size;
    public HwptOptions Flags;
    public uint DevId;
    public uint PtId;
    public uint OutHwptId;
    public uint Reserved;
    public uint DataType;
    public uint DataLen;
    public ulong DataUptr;
    public uint FaultId;
    public uint Reserved2;

    public static int MinimumSize => 24;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved | Reserved2);
        using var data = new UserBytes(caller.Process, DataUptr, DataLen);
        OutHwptId = caller.Context.AllocateHwpt(DevId, PtId, Flags, DataType, data.Memory, FaultId).Id;
        return Errno.None;
    }
}
