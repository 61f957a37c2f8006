using FastNest.Requests;

namespace FastNest.Amd.Pprs;

/// <summary>The answer to a page request group, on its way to the device.</summary>
/// <param name="Device">To whom.</param>
/// <param name="Pasid">The PASID, or null without one.</param>
/// <param name="Group">The page request group, 0 to 511.</param>
/// <param name="Code">0 success, 1 invalid request, 15 failure.</param>
public readonly record struct PageResponse(DeviceId Device, uint? Pasid, int Group, int Code);
