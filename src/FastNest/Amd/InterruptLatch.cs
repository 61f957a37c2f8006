namespace FastNest.Amd;

/// <summary>
/// Collects interrupts wherever they arise and hands them to the embedder where it may call back: with no lock held and
/// outside any read section.
/// </summary>
internal sealed class InterruptLatch(Action<IommuInterrupt>? deliver) : IInterruptLine
{
    private int _pending;

    public void Raise(IommuInterrupt interrupt) => Interlocked.Or(ref _pending, (int)interrupt);

    public void Deliver()
    {
        if (deliver is not null && Interlocked.Exchange(ref _pending, 0) is var pending and not 0)
        {
            deliver((IommuInterrupt)pending);
        }
    }
}
