using FastNest.Amd.Registers;
using FastNest.Memory;

namespace FastNest.Amd.Viommu;

/// <summary>The VF control region: 64 bytes per guest, for the host alone.</summary>
internal sealed class VfControlWindow(GuestDirectory guests, GuestScheduler scheduler, Lock mmio, Deliveries deliveries) : IMmioWindow
{
    public const ulong Size = 1UL << 22;

    public ulong Read(ulong offset, int size)
    {
        if (!RegisterLanes.IsAccess(offset, size, Size) || guests.Find(Guest(offset)) is not { } guest)
        {
            return 0;
        }

        return RegisterLanes.Extract(guest.ReadControl(Register(offset)), offset, size);
    }

    public void Write(ulong offset, int size, ulong value)
    {
        if (!RegisterLanes.IsAccess(offset, size, Size))
        {
            return;
        }

        lock (mmio)
        {
            VirtualIommu guest = guests.Open(Guest(offset));
            ulong written = RegisterLanes.Mask(offset, size);
            ulong before = guest.ReadControl(Register(offset));
            guest.WriteControl(Register(offset), (before & ~written) | RegisterLanes.Place(value, offset, size));
            scheduler.Ring(guest);
        }

        deliveries.Deliver();
    }

    private static ushort Guest(ulong offset) => (ushort)(offset / VfControlLayout.Size);

    private static int Register(ulong offset) => (int)(offset % VfControlLayout.Size) & ~7;
}
