using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>A nested HWPT: a guest's device table entry on a vIOMMU.</summary>
/// <param name="viommu">Whose.</param>
/// <param name="guest">What the guest asks for.</param>
/// <param name="hostId">The host's domain id that stands for the guest's, held until disposed.</param>
internal sealed class AmdNestedDomain(AmdViommu viommu, GuestDte guest, ushort hostId) : HardwareDomain
{
    public AmdViommu Viommu => viommu;

    public GuestDte Guest => guest;

    public ushort HostId => hostId;

    public override void Invalidate(uint type, int entryLength, ReadOnlySpan<byte> entries, int count, out int handled) =>
        viommu.Invalidate(type, entryLength, entries, count, out handled);

    public override void Dispose() => viommu.ReleaseDomain(guest.Domain);
}
