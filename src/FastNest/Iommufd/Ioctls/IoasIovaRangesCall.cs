using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_IOVA_RANGES.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasIovaRangesCall : IIoctl
{
    public uint Size;
    public uint IoasId;
    public uint NumIovas;
    public uint Reserved;
    public ulong AllowedIovas;
    public ulong OutIovaAlignment;

    public static int MinimumSize => 32;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        Ioas ioas = caller.Find<Ioas>(IoasId, "ioas_id");
        IovaRange[] ranges = [];
        int count;
        while (ioas.GetIovaRanges(ranges, out count, out OutIovaAlignment) != Errno.None && ranges.Length < NumIovas)
        {
            ranges = new IovaRange[Math.Min(NumIovas, (uint)count)];
        }

        int told = Math.Min(count, ranges.Length);
        UserMemory.Write(caller.Process, AllowedIovas, MemoryMarshal.AsBytes(ranges.AsSpan(0, told)));
        bool isComplete = told == count;
        NumIovas = (uint)count;
        return isComplete ? Errno.None : Errno.EMSGSIZE;
    }
}
