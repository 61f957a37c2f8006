using FastNest.Iommufd.Drivers;
using FastNest.Requests;

namespace FastNest.Iommufd;

/// <summary>A device's page requests that are answered as one.</summary>
/// <param name="device">Who asks.</param>
/// <param name="pasid">For which PASID, or null.</param>
/// <param name="group">The device's number for the group.</param>
internal sealed class PageRequestGroup(HostDevice device, uint? pasid, int group)
{
    public HostDevice Device { get; } = device;

    public uint? Pasid { get; } = pasid;

    public int Group { get; } = group;

    /// <summary>What answers name it by, from 1 on.</summary>
    public uint Cookie { get; set; }

    /// <summary>Its requests, in order.</summary>
    public List<(ulong Address, Access Access, bool Privileged)> Requests { get; } = [];
}
