using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_IOAS_ALLOW_IOVAS.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoasAllowIovasCall : IIoctl
{
    /// <summary>A process cannot make the host keep longer lists.</summary>
    private const uint MostRanges = 1 << 20;

    public uint Size;
    public uint IoasId;
    public uint NumIovas;
    public uint Reserved;
    public ulong AllowedIovas;

    public static int MinimumSize => 24;

    public readonly Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        Ioas ioas = caller.Find<Ioas>(IoasId, "ioas_id");
        if (NumIovas > MostRanges)
        {
            throw new IommufdException(Errno.ENOMEM, "num_iovas", NumIovas, $"must be at most {MostRanges}");
        }

        var ranges = new IovaRange[NumIovas];
        UserMemory.Read(caller.Process, AllowedIovas, MemoryMarshal.AsBytes(ranges.AsSpan()));
        ioas.AllowIovas(ranges);
        return Errno.None;
    }
}
