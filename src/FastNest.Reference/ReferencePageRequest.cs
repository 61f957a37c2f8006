using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>A device's request that a page be brought in (PCIe PRI).</summary>
/// <param name="Device">Who asks.</param>
/// <param name="Pasid">0 to 1,048,575, or null without a PASID.</param>
/// <param name="Address">The address; only bits 63:12 are sent.</param>
/// <param name="Access">What the device wants to do there.</param>
/// <param name="Privileged">Whether it asks for supervisor privilege; counts only with a PASID.</param>
/// <param name="Group">The page request group, 0 to 511.</param>
/// <param name="Last">Whether it is the last request of its group.</param>
public readonly record struct ReferencePageRequest(
    DeviceId Device, uint? Pasid, ulong Address, Access Access, bool Privileged, int Group, bool Last);
