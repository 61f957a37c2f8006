using System.Buffers.Binary;

namespace FastNest.Iommufd.Ioctls;

/// <summary>
/// The calls of VFIO's type 1 container, _IO(';', number), which mean the IOAS that IOMMU_VFIO_IOAS set (Linux
/// drivers/iommu/iommufd/vfio_compat.c, include/uapi/linux/vfio.h).
/// </summary>
internal static class VfioTable
{
    private const uint Type = ';' << 8;
    private const int ApiVersion = 0;

    /// <summary>Carries a call out.</summary>
    /// <returns>What the call answers: 0, or a number.</returns>
    /// <exception cref="IommufdException">ENOTTY: no such call. EFAULT: no argument. Others: the call's.</exception>
    public static int Run(uint command, Span<byte> argument, in IoctlCaller caller) => command switch
    {
        Type | 100 => ApiVersion,
        Type | 101 => VfioType.CheckExtension(Number(argument), in caller),
        Type | 102 => VfioType.SetIommu(Number(argument), in caller),
        Type | 112 => VfioGetInfoCall.Run(argument, in caller),
        Type | 113 => VfioMapDmaCall.Run(argument, in caller),
        Type | 114 => VfioUnmapDmaCall.Run(argument, in caller),
        _ => throw new IommufdException(Errno.ENOTTY, "command", command, "is neither a command of iommufd nor a call of VFIO's"),
    };

    /// <summary>The IOAS that calls mean.</summary>
    /// <exception cref="IommufdException">ENODEV: none is set.</exception>
    public static Ioas Ioas(in IoctlCaller caller) =>
        caller.Context.VfioIoas ?? throw new IommufdException(Errno.ENODEV, "ioas_id", 0, "VFIO_IOAS has set none");

    /// <summary>An argument that is a number where others are pointers.</summary>
    private static ulong Number(ReadOnlySpan<byte> argument) => argument.Length switch
    {
        sizeof(uint) => BinaryPrimitives.ReadUInt32LittleEndian(argument),
        sizeof(ulong) => BinaryPrimitives.ReadUInt64LittleEndian(argument),
        _ => throw new IommufdException(Errno.EFAULT, "argument", (ulong)argument.Length, "bytes are no number of 4 or 8"),
    };
}
