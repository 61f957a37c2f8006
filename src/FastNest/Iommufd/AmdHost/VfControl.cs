using FastNest.Amd.Viommu;

namespace FastNest.Iommufd.AmdHost;

/// <summary>The VF control registers of one VM (digest section 8.4).</summary>
/// <param name="hardware">Whose.</param>
/// <param name="guest">The VM's id.</param>
internal readonly struct VfControl(ViommuHardware hardware, ushort guest)
{
    private readonly ulong _start = (ulong)guest * VfControlLayout.Size;

    /// <summary>Reads a register at an offset of <see cref="VfControlLayout"/>.</summary>
    public ulong Read(int offset) => hardware.VfControl.Read(_start + (ulong)offset, sizeof(ulong));

    /// <summary>Writes one.</summary>
    public void Write(int offset, ulong value) => hardware.VfControl.Write(_start + (ulong)offset, sizeof(ulong), value);

    /// <summary>Has the hardware write an entry of the device or domain ids' table.</summary>
    public void Map(int offset, ushort guestId, ushort hostId) => Write(
        offset,
        VfControlLayout.Write.Mask
            | VfControlLayout.Valid.Mask
            | VfControlLayout.GuestId.Of(guestId)
            | VfControlLayout.HostId.Of(hostId));
}
