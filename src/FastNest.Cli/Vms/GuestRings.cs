namespace FastNest.Cli.Vms;

/// <summary>A ring in a VM's memory.</summary>
/// <param name="Base">The VM's physical address.</param>
/// <param name="Length">Bytes; 0 when there is none.</param>
internal readonly record struct GuestRing(ulong Base, ulong Length);

/// <summary>The rings that a VM's driver hands to its IOMMU.</summary>
/// <param name="Commands">The command buffer.</param>
/// <param name="Events">The event log.</param>
/// <param name="Pprs">The PPR log.</param>
internal sealed record GuestRings(GuestRing Commands, GuestRing Events, GuestRing Pprs);
