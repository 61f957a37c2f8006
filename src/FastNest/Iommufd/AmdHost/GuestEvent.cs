using System.Buffers.Binary;
using FastNest.Amd.Events;

namespace FastNest.Iommufd.AmdHost;

/// <summary>Events of the host's log that concern a VM's device: the host's tables refused what the VM let it do.</summary>
internal static class GuestEvent
{
    /// <summary>VEVENTQ_ALLOC's type: entries of the event log, 16 bytes each.</summary>
    public const uint Type = 3;

    /// <summary>
    /// Tells the VM, in its own terms, if someone asks: only of IO_PAGE_FAULT, whose address is the VM's. Its device has the VM's
    /// number, and the host's domain is none of the VM's.
    /// </summary>
    /// <returns>Whether the VM was told, and the host need not be.</returns>
    public static bool TryReport(in IommuEvent entry, GuestDevice? device)
    {
        if (entry.Code != EventCode.IoPageFault || entry.GN || device?.Viommu.Events is not { } sink)
        {
            return false;
        }

        Span<byte> data = stackalloc byte[2 * sizeof(ulong)];
        ulong word0 = EventLayout.DeviceID.With(entry.Word0, device.VirtualId);
        word0 = EventLayout.VFlags.With(EventLayout.DomainID.With(word0, 0), 0);
        BinaryPrimitives.WriteUInt64LittleEndian(data, word0);
        BinaryPrimitives.WriteUInt64LittleEndian(data[sizeof(ulong)..], entry.Word1);
        return sink.Report(Type, data);
    }
}
