using FastNest.Requests;

namespace FastNest.Amd.Pprs;

/// <summary>A PCIe page request: a device asks that a page be made present.</summary>
/// <param name="Device">Who asks.</param>
/// <param name="Pasid">0 to 1,048,575, or null without one.</param>
/// <param name="Address">The page's address; bits 11:0 do not count.</param>
/// <param name="Access">What the device wants to do.</param>
/// <param name="Group">The page request group, 0 to 511.</param>
/// <param name="Last">Whether this is the group's last request, the one that is answered.</param>
/// <param name="Privileged">Whether supervisor privilege is asked for; counts only with a PASID.</param>
public readonly record struct PageRequest(
    DeviceId Device, uint? Pasid, ulong Address, Access Access, int Group, bool Last, bool Privileged = false);
