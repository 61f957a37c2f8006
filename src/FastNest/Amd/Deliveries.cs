using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;

namespace FastNest.Amd;

/// <summary>Everything that waits to be handed to the embedder, who may call back: with no lock held, outside any section.</summary>
internal sealed class Deliveries(InterruptLatch interrupts, DeviceMail mail, GuestInterruptQueue? guests)
{
    public void Deliver()
    {
        interrupts.Deliver();
        mail.Deliver();
        guests?.Deliver();
    }
}
