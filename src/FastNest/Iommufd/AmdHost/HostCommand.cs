using System.Numerics;
using FastNest.Amd.Commands;
using FastNest.Requests;

namespace FastNest.Iommufd.AmdHost;

/// <summary>The commands that the host gives, made from <see cref="CommandLayout"/>.</summary>
internal static class HostCommand
{
    /// <summary>A range that reaches this bit is named as everything (digest section 6).</summary>
    private const int EverythingShift = 52;

    private const ulong Everything = 0x7FFF_FFFF_FFFF_F000;

    /// <summary>COMPLETION_WAIT that stores a value and does not interrupt, as Linux uses it.</summary>
    public static Command CompletionWait(ulong address, ulong value) =>
        Make(Opcode.CompletionWait, CommandLayout.Store.Mask | CommandLayout.StoreAddress.InPlace(address), value);

    public static Command InvalidateEntry(DeviceId device) =>
        Make(Opcode.InvalidateDevtabEntry, CommandLayout.DeviceID.Of(device.Value));

    /// <summary>INVALIDATE_IOMMU_PAGES of a domain's host tables: one command for the least aligned power of two around a range.</summary>
    public static Command InvalidatePages(ushort domain, IovaRange range) =>
        Make(Opcode.InvalidateIommuPages, CommandLayout.DomainID.Of(domain), Sized(range) | CommandLayout.PDE.Mask);

    /// <summary>INVALIDATE_IOTLB_PAGES of what a device keeps of addresses without a PASID.</summary>
    public static Command InvalidateDeviceTlb(DeviceId device, IovaRange range) =>
        Make(
            Opcode.InvalidateIotlbPages,
            CommandLayout.DeviceID.Of(device.Value) | CommandLayout.QueueID.Of(device.Value),
            Sized(range));

    public static Command CompletePageRequest(DeviceId device, uint? pasid, int group, int code) =>
        Make(
            Opcode.CompletePprRequest,
            CommandLayout.DeviceID.Of(device.Value) | CommandLayout.PasidAt32.Of(pasid ?? 0),
            CommandLayout.GN.Of(pasid.HasValue ? 1UL : 0)
                | CommandLayout.CompletionTag.Of((ulong)group)
                | CommandLayout.ResponseCode.Of((ulong)code));

    public static Command InvalidateAll() => Make(Opcode.InvalidateIommuAll, 0);

    /// <summary>RESET_VMMIO of everything that a guest has.</summary>
    public static Command ResetGuest(ushort guest) =>
        Make(Opcode.ResetVmmio, CommandLayout.GuestID.Of(guest) | CommandLayout.ResetAll.Mask | CommandLayout.ResetVCmd.Mask);

    private static Command Make(Opcode opcode, ulong word0, ulong word1 = 0) => new(CommandLayout.Code.Of((ulong)opcode) | word0, word1);

    /// <summary>The address and size of a command: the lowest zero bit from 12 on names the size.</summary>
    private static ulong Sized(IovaRange range)
    {
        int shift = BitOperations.Log2((range.First ^ range.Last) | 1) + 1;
        ulong page = CommandLayout.Address.InPlace(range.First);
        return shift <= 12 ? page
            : shift >= EverythingShift ? Everything | CommandLayout.S.Mask
            : (page & ~((1UL << shift) - 1)) | CommandLayout.Address.InPlace((1UL << (shift - 1)) - 1) | CommandLayout.S.Mask;
    }
}
