using System.Buffers.Binary;
using FastNest.Amd;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Registers;
using FastNest.Iommufd.Drivers;

namespace FastNest.Iommufd.AmdHost;

/// <summary>What a guest's own device table entry asks for (IOMMU_HWPT_DATA_AMD_GUEST), and what the host makes of it.</summary>
/// <param name="value">The four quadwords as the guest has them.</param>
internal readonly struct GuestDte(DteValue value)
{
    private const uint DataType = 3;
    private const ulong ReservedLevels = 3;
    private const ulong FiveLevels = 1;
    private const int FiveGuestLevels = 5;

    /// <summary>The guest's domain id.</summary>
    public ushort Domain => (ushort)value.Get(Dte.DomainID);

    /// <summary>Whether requests go through the guest's tables.</summary>
    public bool Translates => value.Has(Dte.V) && value.Has(Dte.TV) && value.Has(Dte.GV);

    private bool HasNoRoot => (Dte.Gcr3Root14To12.InPlace(value.Word0)
        | Dte.Gcr3Root30To15.InPlace(value.Word1)
        | Dte.Gcr3Root51To31.InPlace(value.Word1)) == 0;

    /// <summary>Reads and checks one, as Linux drivers/iommu/amd/nested.c does.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: another form, or more levels than the host has. EINVAL: not for nesting.</exception>
    public static GuestDte Parse(DriverData data, IommuFeatures features)
    {
        Span<byte> bytes = stackalloc byte[Dte.Size];
        data.CopyTo(DataType, bytes.Length, bytes);
        var dte = new DteValue(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));
        if (dte.Has(Dte.Mode) || dte.Has(Dte.HostPageTableRoot))
        {
            throw new IommufdException(Errno.EINVAL, "dte[0]", dte.Word0, "Mode and host root are the host's, and must be 0");
        }

        if (dte.Has(Dte.V) && dte.Has(Dte.GV) && new GuestDte(dte).HasNoRoot)
        {
            throw new IommufdException(Errno.EINVAL, "dte[1]", dte.Word1, "with GV the GCR3 root must not be 0");
        }

        if (dte.Get(Dte.GuestPagingMode) > FiveLevels)
        {
            throw new IommufdException(Errno.EINVAL, "dte[2]", dte.Word2, "GuestPagingMode must be 0 or 1");
        }

        if (dte.Get(Dte.GLX) == ReservedLevels || dte.Get(Dte.GLX) > features.Get(ExtendedFeature.GLXSup))
        {
            throw new IommufdException(Errno.EINVAL, "dte[0]", dte.Word0, $"GLX must be at most {features.Get(ExtendedFeature.GLXSup)}");
        }

        return dte.Get(Dte.GuestPagingMode) == FiveLevels && features.GuestLevels < FiveGuestLevels
            ? throw new IommufdException(Errno.EOPNOTSUPP, "dte[2]", dte.Word2, "the host has guest tables of four levels only")
            : new(dte);
    }

    /// <summary>
    /// The host's entry with what the guest may say of it (reading 109): where its tables are; or, without them, whether its
    /// physical addresses may be read and written.
    /// </summary>
    /// <param name="host">The entry of the nest parent, with every right.</param>
    /// <param name="asksForPages">Whether the device can.</param>
    public DteValue Over(DteValue host, bool asksForPages)
    {
        if (!value.Has(Dte.V))
        {
            return host;
        }

        if (!Translates)
        {
            return host
                .With(Dte.IR, value.Has(Dte.TV) ? value.Get(Dte.IR) : 0)
                .With(Dte.IW, value.Has(Dte.TV) ? value.Get(Dte.IW) : 0);
        }

        return host
            .With(Dte.GV, 1)
            .With(Dte.GIoV, value.Get(Dte.GIoV))
            .With(Dte.GLX, value.Get(Dte.GLX))
            .With(Dte.Gcr3Root14To12, value.Get(Dte.Gcr3Root14To12))
            .With(Dte.Gcr3Root30To15, value.Get(Dte.Gcr3Root30To15))
            .With(Dte.Gcr3Root51To31, value.Get(Dte.Gcr3Root51To31))
            .With(Dte.GuestPagingMode, value.Get(Dte.GuestPagingMode))
            .With(Dte.PPR, asksForPages ? value.Get(Dte.PPR) : 0);
    }
}
