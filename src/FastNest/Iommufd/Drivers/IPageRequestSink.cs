using FastNest.Requests;

namespace FastNest.Iommufd.Drivers;

/// <summary>Takes page requests of devices attached to an HWPT.</summary>
internal interface IPageRequestSink
{
    /// <summary>
    /// A request; any thread, with whatever locks the thread holds whose access made the IOMMU interrupt: it is only to be kept.
    /// The group is answered through <see cref="HostDevice.Respond"/> some time after its last request.
    /// </summary>
    /// <param name="device">Who asks.</param>
    /// <param name="pasid">For which PASID, or null.</param>
    /// <param name="group">Which group it belongs to.</param>
    /// <param name="address">The page.</param>
    /// <param name="access">What for.</param>
    /// <param name="privileged">Whether supervisor rights are asked for.</param>
    /// <param name="last">Whether the group is complete.</param>
    void Take(HostDevice device, uint? pasid, int group, ulong address, Access access, bool privileged, bool last);
}
