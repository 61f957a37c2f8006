using System.Collections.Concurrent;

namespace FastNest.Amd.Viommu;

/// <summary>
/// Guests that have interrupts, in the order in which they got the first, on the way to the embedder; each at most once, so that
/// it is no longer than there are guests. Any thread.
/// </summary>
internal sealed class GuestInterruptQueue(Action<GuestInterrupt>? deliver)
{
    private readonly ConcurrentQueue<VirtualIommu> _guests = new();

    public void Add(VirtualIommu guest) => _guests.Enqueue(guest);

    /// <summary>Called with no lock held and outside any read section.</summary>
    public void Deliver()
    {
        while (_guests.TryDequeue(out VirtualIommu? guest))
        {
            IommuInterrupt kind = guest.TakeInterrupts();
            if (kind != IommuInterrupt.None)
            {
                deliver?.Invoke(new(guest.Id, kind));
            }
        }
    }
}
