using FastNest.Requests;

namespace FastNest.Reference;

/// <summary>A page request group's response, sent to a device.</summary>
/// <param name="Device">Whom it is sent to.</param>
/// <param name="Pasid">Its PASID, null without one.</param>
/// <param name="Group">The page request group, 0 to 511.</param>
/// <param name="Code">0 success, 1 invalid request, 15 failure.</param>
public readonly record struct ReferencePageResponse(DeviceId Device, uint? Pasid, int Group, int Code);
