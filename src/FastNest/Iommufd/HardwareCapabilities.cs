namespace FastNest.Iommufd;

/// <summary>What a device can do (enum iommufd_hw_capabilities).</summary>
[Flags]
public enum HardwareCapabilities : ulong
{
    /// <summary>Nothing of these.</summary>
    None = 0,

    /// <summary>What it writes can be asked for.</summary>
    DirtyTracking = 1,
}
