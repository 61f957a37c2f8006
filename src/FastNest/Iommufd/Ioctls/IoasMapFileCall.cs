using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_MAP_FILE.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasMapFileCall : IIoctl
{
    public uint Size;
    public IoasMapOptions Flags;
    public uint IoasId;
    public int Fd;
    public ulong Start;
    public ulong Length;
    public ulong Iova;

    public static int MinimumSize => 40;

    public Errno Run(in IoctlCaller caller)
    {
        Ioas.CheckFlags(Flags, Iova, Length);
        Ioas ioas = caller.Find<Ioas>(IoasId, "ioas_id");
        Iova = ioas.MapFile(Flags, caller.Context.Files.Find<MemoryFile>(Fd), Start, Length, Iova);
        return Errno.None;
    }
}
