using FastNest.Amd.Registers;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The vendor-specific PCI capability by which software finds the VF regions (digest section 8.2, reading 107). Read-only;
/// dwords at multiples of 4, and 0 beyond its end.
/// </summary>
public sealed class ViommuCapability
{
    /// <summary>Its length in bytes.</summary>
    public const int Length = 0x18;

    private const uint VendorSpecific = 0x09;
    private const uint Enable = 1;

    private readonly uint[] _dwords;

    internal ViommuCapability(ViommuOptions options)
    {
        ulong vf = Bar(options.VfBase, VfWindow.Size, nameof(options.VfBase));
        ulong control = Bar(options.VfControlBase, VfControlWindow.Size, nameof(options.VfControlBase));
        _dwords =
        [
            VendorSpecific | (uint)options.NextCapability << 8 | (uint)Length << 16, 0,
            (uint)vf, (uint)(vf >> 32),
            (uint)control, (uint)(control >> 32),
        ];
    }

    /// <summary>Reads a part of the capability.</summary>
    /// <param name="offset">Bytes from its start, a multiple of <paramref name="size"/>.</param>
    /// <param name="size">1, 2 or 4; anything else reads 0.</param>
    public uint Read(int offset, int size) => size <= sizeof(uint) && RegisterLanes.IsAccess((ulong)(uint)offset, size, Length)
        ? (uint)RegisterLanes.Extract((ulong)_dwords[offset / sizeof(uint)] << (offset & sizeof(uint)) * 8, (ulong)offset, size)
        : 0;

    private static ulong Bar(ulong address, ulong size, string name)
    {
        if (address % size != 0)
        {
            throw new ArgumentException($"{name} 0x{address:x}: must be a multiple of 0x{size:x}", name);
        }

        return address == 0 ? 0 : address | Enable;
    }
}
