namespace FastNest.Iommufd;

/// <summary>What HWPT_ALLOC is asked for (enum iommufd_hwpt_alloc_flags).</summary>
[Flags]
public enum HwptOptions : uint
{
    /// <summary>A plain paging HWPT.</summary>
    None = 0,

    /// <summary>Nested HWPTs and vIOMMUs may stand on it.</summary>
    NestParent = 1,

    /// <summary>What devices write can be asked for; only devices that mark it may be attached.</summary>
    DirtyTracking = 2,

    /// <summary>Page requests go to a fault queue.</summary>
    FaultIdValid = 4,

    /// <summary>PASIDs may be attached to it.</summary>
    AllocPasid = 8,
}
