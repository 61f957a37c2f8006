using FastNest.Amd.Pprs;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Amd.Commands;

/// <summary>
/// What commands do to translations and devices, once their ids are the host's own. Serialised by the owner of the registers:
/// invalidations have one publisher at a time.
/// </summary>
internal sealed class CommandEffects(
    InvalidationQueue invalidations, DeviceMail mail, Func<DeviceTlbInvalidation, bool>? deviceTlbs)
{
    /// <summary>INVALIDATE_DEVTAB_ENTRY.</summary>
    public void InvalidateContext(DeviceId device) => invalidations.Publish(Invalidation.OfContext(device));

    /// <summary>INVALIDATE_IOMMU_ALL.</summary>
    public void InvalidateAll() => invalidations.Publish(Invalidation.All);

    /// <summary>INVALIDATE_IOMMU_PAGES.</summary>
    public void InvalidatePages(in Command command, ushort domain)
    {
        var pasid = (uint)command.Get(CommandLayout.Pasid);
        ulong address = command.InPlace(CommandLayout.Address);
        int shift = InvalidationRange.Shift(address, command.Has(CommandLayout.S));
        invalidations.Publish((command.Has(CommandLayout.GN), shift) switch
        {
            (false, 64) => Invalidation.OfDomain(domain),
            (false, _) => Invalidation.OfDomain(domain, address, shift),
            (true, 64) => Invalidation.OfPasid(domain, pasid),
            (true, _) => Invalidation.OfPasid(domain, pasid, address, shift),
        });
    }

    /// <summary>INVALIDATE_IOTLB_PAGES (reading 60).</summary>
    /// <returns>False when the device did not answer in time.</returns>
    public bool TryInvalidateDevice(in Command command, DeviceId device)
    {
        ulong pasid = command.Get(CommandLayout.IotlbPasid19To16) << 16
            | command.Get(CommandLayout.IotlbPasid15To8) << 8
            | command.Get(CommandLayout.IotlbPasid7To0);
        ulong address = command.InPlace(CommandLayout.Address);
        int shift = InvalidationRange.Shift(address, command.Has(CommandLayout.S));
        address = shift == 64 ? 0 : address & ~((1UL << shift) - 1);
        return deviceTlbs?.Invoke(new(device, command.Has(CommandLayout.GN) ? (uint)pasid : null, address, shift)) != false;
    }

    /// <summary>COMPLETE_PPR_REQUEST.</summary>
    public void CompletePageRequest(in Command command, DeviceId device) => mail.Post(new(
        device,
        command.Has(CommandLayout.GN) ? (uint)command.Get(CommandLayout.PasidAt32) : null,
        (int)command.Get(CommandLayout.CompletionTag),
        (int)command.Get(CommandLayout.ResponseCode)));
}
