namespace FastNest.Iommufd;

/// <summary>How memory is mapped into an IOAS (enum iommufd_ioas_map_flags).</summary>
[Flags]
public enum IoasMapOptions : uint
{
    /// <summary>Nothing; not enough for a mapping.</summary>
    None = 0,

    /// <summary>The caller chooses the IOVA.</summary>
    FixedIova = 1,

    /// <summary>Devices may write.</summary>
    Writeable = 2,

    /// <summary>Devices may read.</summary>
    Readable = 4,
}
