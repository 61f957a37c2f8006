using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>IOMMU_OPTION.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OptionCall : IIoctl
{
    private const uint RlimitMode = 0;
    private const uint HugePages = 1;
    private const ushort Set = 0;
    private const ushort Get = 1;

    public uint Size;
    public uint OptionId;
    public ushort Op;
    public ushort Reserved;
    public uint ObjectId;
    public ulong Val64;

    public static int MinimumSize => 24;

    public Errno Run(in IoctlCaller caller)
    {
        IoctlCaller.RequireZero("reserved", Reserved);
        switch (OptionId)
        {
            case RlimitMode:
                OfContext(caller.Context);
                return Errno.None;
            case HugePages:
                OfIoas(caller.Find<Ioas>(ObjectId, "object_id"));
                return Errno.None;
            default:
                throw new IommufdException(Errno.EOPNOTSUPP, "option_id", OptionId, $"must be {RlimitMode} or {HugePages}");
        }
    }

    private void OfContext(IommufdContext context)
    {
        IoctlCaller.RequireZero("object_id", ObjectId);
        if (IsSet())
        {
            context.SetRlimitMode(Val64);
        }
        else
        {
            Val64 = context.RlimitMode;
        }
    }

    private void OfIoas(Ioas ioas)
    {
        if (!IsSet())
        {
            Val64 = ioas.HugePages ? 1UL : 0;
        }
        else if (Val64 <= 1)
        {
            ioas.HugePages = Val64 == 1;
        }
        else
        {
            throw new IommufdException(Errno.EINVAL, "val64", Val64, "must be 0 or 1");
        }
    }

    private readonly bool IsSet() => Op <= Get
        ? Op == Set
        : throw new IommufdException(Errno.EOPNOTSUPP, "op", Op, $"must be {Set} or {Get}");
}
