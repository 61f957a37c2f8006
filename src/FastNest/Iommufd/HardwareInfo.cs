namespace FastNest.Iommufd;

/// <summary>What GET_HW_INFO tells of a device and its IOMMU.</summary>
/// <param name="Type">The form of <see cref="Data"/>; 0 without any.</param>
/// <param name="Data">The driver's structure.</param>
/// <param name="Capabilities">What the device can do.</param>
/// <param name="MaxPasidLog2">log2 of how many PASIDs it may use; 0 for none.</param>
public readonly record struct HardwareInfo(uint Type, ReadOnlyMemory<byte> Data, HardwareCapabilities Capabilities, int MaxPasidLog2);
