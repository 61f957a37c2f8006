namespace FastNest.Iommufd.Ioctls;

/// <summary>VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU: the kinds of container there are.</summary>
internal static class VfioType
{
    private const ulong Type1 = 1;
    private const ulong Type1v2 = 3;
    private const ulong CoherentDma = 4;
    private const ulong UnmapAll = 9;

    /// <summary>Whether there is an extension: 1 or 0.</summary>
    /// <exception cref="IommufdException">ENODEV: it depends on the IOAS, and none is set.</exception>
    public static int CheckExtension(ulong extension, in IoctlCaller caller)
    {
        switch (extension)
        {
            case Type1 or Type1v2 or UnmapAll:
                return 1;
            case CoherentDma:
                VfioTable.Ioas(in caller); // DMA is coherent with whatever is attached
                return 1;
            default:
                return 0;
        }
    }

    /// <summary>Chooses a kind: with the old one unmaps may cut mappings, so that tables must not hold large pages.</summary>
    /// <exception cref="IommufdException">EINVAL: no such kind, or mappings and a domain exist already. ENODEV: no IOAS is set.</exception>
    public static int SetIommu(ulong type, in IoctlCaller caller)
    {
        if (type is not (Type1 or Type1v2))
        {
            throw new IommufdException(Errno.EINVAL, "type", type, $"must be {Type1} or {Type1v2}");
        }

        Ioas ioas = VfioTable.Ioas(in caller);
        if (type == Type1)
        {
            ioas.HugePages = false;
        }

        return 0;
    }
}
