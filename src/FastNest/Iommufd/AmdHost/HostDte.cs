using FastNest.Amd.DeviceTable;

namespace FastNest.Iommufd.AmdHost;

/// <summary>The device table entries that the host writes (digest sections 2 and 9).</summary>
internal static class HostDte
{
    private const ulong AccessedAndDirty = 3;

    /// <summary>Nothing gets through: valid, without rights.</summary>
    public static DteValue Blocked { get; } = default(DteValue).With(Dte.V, 1).With(Dte.TV, 1);

    /// <summary>Requests go through a host table.</summary>
    /// <param name="root">Where its top table is.</param>
    /// <param name="levels">The level of that.</param>
    /// <param name="domain">The host's id of its translations.</param>
    /// <param name="dirty">Whether walkers mark what is written.</param>
    public static DteValue Host(ulong root, int levels, ushort domain, bool dirty) => Blocked
        .With(Dte.Mode, (ulong)levels)
        .WithAddress(Dte.HostPageTableRoot, root)
        .With(Dte.IR, 1)
        .With(Dte.IW, 1)
        .With(Dte.DomainID, domain)
        .With(Dte.HAD, dirty ? AccessedAndDirty : 0);

    /// <summary>Whether an entry needs its upper half.</summary>
    public static bool UsesUpperHalf(in DteValue dte) => dte.Has(Dte.GV) || dte.Has(Dte.VImuEn);
}
