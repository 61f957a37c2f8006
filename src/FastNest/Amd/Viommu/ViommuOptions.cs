using FastNest.Requests;

namespace FastNest.Amd.Viommu;

/// <summary>How an IOMMU that offers vIOMMUSup serves guests.</summary>
public sealed record ViommuOptions
{
    /// <summary>
    /// The IOMMU's own PCI function: the host table of its device table entry translates the private address space.
    /// </summary>
    public DeviceId Device { get; init; } = DeviceId.FromBdf(0, 0, 2);

    /// <summary>Where firmware put the VF MMIO region: a multiple of 256 MiB, or 0 for nowhere. Only told, not mapped.</summary>
    public ulong VfBase { get; init; }

    /// <summary>Where firmware put the VF control region: a multiple of 4 MiB, or 0 for nowhere. Only told, not mapped.</summary>
    public ulong VfControlBase { get; init; }

    /// <summary>The configuration offset of the PCI capability after this one; 0 for none.</summary>
    public byte NextCapability { get; init; }

    /// <summary>How many commands a guest has executed in one turn, at least 1.</summary>
    public int Turn { get; init; } = 512;

    /// <summary>Called with each guest's interrupts, under the same rules as <see cref="AmdIommuOptions.Interrupt"/>. Null to drop them.</summary>
    public Action<GuestInterrupt>? Interrupt { get; init; }
}
