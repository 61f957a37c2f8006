namespace FastNest.Engine;

/// <summary>
/// Invalidations on their way to every port: one publisher at a time writes, each port reads at its own pace and keeps its
/// own place. A port that has fallen behind by more than the queue holds drops everything it has cached instead.
/// </summary>
internal sealed class InvalidationQueue
{
    private const int Capacity = 1024;

    private readonly Invalidation[] _records = new Invalidation[Capacity];
    private long _writing;
    private long _published;

    /// <summary>How many were ever published; a port has seen those below its own place.</summary>
    public long Published => Volatile.Read(ref _published);

    public void Publish(in Invalidation invalidation)
    {
        long place = _published;

        // Announced before the slot changes, so that a reader of the old record can tell that it was overtaken.
        Volatile.Write(ref _writing, place + 1);
        Interlocked.MemoryBarrier();
        _records[place % Capacity] = invalidation;
        Volatile.Write(ref _published, place + 1);
    }

    /// <summary>Reads the record at a place that has been published.</summary>
    /// <returns>False when it has been overwritten.</returns>
    public bool TryRead(long place, out Invalidation invalidation)
    {
        invalidation = _records[place % Capacity];
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref _writing) <= place + Capacity;
    }
}
