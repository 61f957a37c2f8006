using FastNest.Memory;

namespace FastNest.Amd.Viommu;

/// <summary>
/// The VF MMIO region: 4 KiB per guest, its registers from 2000h on, which it reads and writes without its host. A write of its
/// command tail rings its bell.
/// </summary>
internal sealed class VfWindow(GuestDirectory guests, GuestScheduler scheduler, Lock mmio, Deliveries deliveries) : IMmioWindow
{
    public const ulong Size = 1UL << 28;

    private const int PageShift = 12;
    private const ulong PageMask = (1 << PageShift) - 1;

    public ulong Read(ulong offset, int size) =>
        offset < Size && guests.Find((ushort)(offset >> PageShift)) is { } guest ? guest.ReadVf(offset & PageMask, size) : 0;

    public void Write(ulong offset, int size, ulong value)
    {
        if (offset >= Size)
        {
            return;
        }

        lock (mmio)
        {
            VirtualIommu guest = guests.Open((ushort)(offset >> PageShift));
            if (guest.WriteVf(offset & PageMask, size, value))
            {
                scheduler.Ring(guest);
            }
        }

        deliveries.Deliver();
    }
}
