namespace FastNest.Iommufd.AmdHost;

/// <summary>
/// Sixteen-bit ids from 1 on. What is given back must be flushed by then; it is handed out again as late as possible. Any thread.
/// </summary>
/// <param name="field">What the ids are of, for errors.</param>
internal sealed class IdPool(string field)
{
    private readonly Lock _gate = new();
    private readonly Queue<ushort> _free = new();
    private int _next = 1;

    /// <summary>How many ids are taken now.</summary>
    public int Taken
    {
        get
        {
            lock (_gate)
            {
                return _next - 1 - _free.Count;
            }
        }
    }

    /// <summary>An id that nobody has.</summary>
    /// <exception cref="IommufdException">ENOSPC: all are taken.</exception>
    public ushort Take()
    {
        lock (_gate)
        {
            return _next <= ushort.MaxValue ? (ushort)_next++
                : _free.TryDequeue(out ushort id) ? id
                : throw new IommufdException(Errno.ENOSPC, field, ushort.MaxValue, "all ids are taken");
        }
    }

    public void Give(ushort id)
    {
        lock (_gate)
        {
            _free.Enqueue(id);
        }
    }
}
