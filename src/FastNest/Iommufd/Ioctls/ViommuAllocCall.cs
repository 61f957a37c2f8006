using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_VIOMMU_ALLOC.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ViommuAllocCall : IIoctl
{
    public uint Size;
    public uint Flags;
    public uint Type;
    public uint DevId;
    public uint HwptId;
    public uint OutViommuId;
    public uint DataLen;
    public uint Reserved;
    public ulong DataUptr;

    public static int MinimumSize => 24;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        using var data = new UserBytes(caller.Process, DataUptr, DataLen);
        Viommu viommu = caller.Context.AllocateViommu(Type, DevId, HwptId, data.Memory, Flags);
        try
        {
            data.WriteBack();
        }
        catch
        {
            // The process does not get to know its id.
            caller.Context.Destroy(viommu.Id);
            throw;
        }

        OutViommuId = viommu.Id;
        return Errno.None;
    }
}
