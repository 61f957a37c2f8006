namespace FastNest.Memory;

/// <summary>
/// Read-side critical sections after the epoch scheme of user-space RCU: a reader pays one fenced store to enter and
/// one store to leave; a writer that has unpublished something waits until no reader can still hold it.
/// </summary>
internal sealed class ReadSections
{
    private readonly Lock _registration = new();
    private ReadSection[] _sections = [];
    private long _epoch = 1;

    public ReadSection Register()
    {
        var section = new ReadSection();
        lock (_registration)
        {
            Volatile.Write(ref _sections, [.. _sections, section]);
        }

        return section;
    }

    public void Unregister(ReadSection section)
    {
        lock (_registration)
        {
            Volatile.Write(ref _sections, Array.FindAll(_sections, other => other != section));
        }
    }

    public void Enter(ReadSection section) =>
        // A full fence: what the reader loads next may not be older than its announcement.
        Interlocked.Exchange(ref section.Epoch, Volatile.Read(ref _epoch));

    /// <summary>Enters a section that several threads share, unless one of them is inside.</summary>
    public bool TryEnter(ReadSection section) =>
        Interlocked.CompareExchange(ref section.Epoch, Volatile.Read(ref _epoch), ReadSection.Idle) == ReadSection.Idle;

    /// <summary>
    /// Returns once every section that was entered before the call has been left. Idle readers are not waited for; a
    /// caller must not be inside a section of its own.
    /// </summary>
    public void WaitForReaders()
    {
        long epoch = Advance();
        var spin = default(SpinWait);
        while (!HavePassed(epoch))
        {
            // A batch is over in microseconds: never sleep for a millisecond.
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Begins to wait: sections entered from now on are of the epoch that is returned, or later.</summary>
    public long Advance() => Interlocked.Increment(ref _epoch);

    /// <summary>Whether every section of an earlier epoch has been left.</summary>
    public bool HavePassed(long epoch)
    {
        foreach (ReadSection section in Volatile.Read(ref _sections))
        {
            long entered = Volatile.Read(ref section.Epoch);
            if (entered != ReadSection.Idle && entered < epoch)
            {
                return false;
            }
        }

        return true;
    }
}
