using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_VFIO_IOAS: which IOAS VFIO's own calls mean; see <see cref="VfioTable"/>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct VfioIoasCall : IIoctl
{
    private const ushort Get = 0;
    private const ushort Set = 1;
    private const ushort Clear = 2;

    public uint Size;
    public uint IoasId;
    public ushort Op;
    public ushort Reserved;

    public static int MinimumSize => 12;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        switch (Op)
        {
            case Get:
                IoasId = caller.Context.VfioIoas?.Id ?? throw new IommufdException(Errno.ENODEV, "op", Op, "no IOAS is set");
                return Errno.None;
            case Set:
                caller.Context.VfioIoas = caller.Find<Ioas>(IoasId, "ioas_id");
                return Errno.None;
            case Clear:
                caller.Context.VfioIoas = null;
                return Errno.None;
            default:
                throw new IommufdException(Errno.EOPNOTSUPP, "op", Op, $"must be at most {Clear}");
        }
    }
}
