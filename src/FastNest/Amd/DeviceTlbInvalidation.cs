using FastNest.Requests;

namespace FastNest.Amd;

/// <summary>An ATS invalidation on its way to a device's own translation cache.</summary>
/// <param name="Device">To whom.</param>
/// <param name="Pasid">The PASID concerned, or null for requests without one.</param>
/// <param name="Address">The range's start, aligned to its size.</param>
/// <param name="Shift">log2 of the range's size, 12 to 63, or 64 for everything.</param>
public readonly record struct DeviceTlbInvalidation(DeviceId Device, uint? Pasid, ulong Address, int Shift);
