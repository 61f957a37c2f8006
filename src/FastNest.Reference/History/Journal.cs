namespace FastNest.Reference.History;

/// <summary>Every value that each quadword of memory had, and when.</summary>
internal sealed class Journal(IReferenceMemory memory)
{
    private readonly Dictionary<ulong, List<(int From, ulong Value)>> _written = [];

    /// <summary>Writes through; the value counts from <paramref name="time"/> on.</summary>
    public bool TryWrite(ulong address, ulong value, int time)
    {
        if (!memory.TryRead64(address, out ulong old) || !memory.TryWrite64(address, value))
            return false;
        if (!_written.TryGetValue(address, out List<(int, ulong)>? values))
            _written.Add(address, values = [(0, old)]);
        values.Add((time, value));
        return true;
    }

    /// <summary>The values of a quadword, each from its time until the next one's; null where memory does not exist.</summary>
    public IEnumerable<(int From, int Until, ulong? Value)> Versions(ulong address)
    {
        if (!_written.TryGetValue(address, out List<(int From, ulong Value)>? values))
        {
            yield return (0, int.MaxValue, memory.TryRead64(address, out ulong only) ? only : null);
            yield break;
        }

        for (int i = 0; i < values.Count; i++)
            yield return (values[i].From, i + 1 < values.Count ? values[i + 1].From : int.MaxValue, values[i].Value);
    }

    /// <summary>The value of a quadword at a time.</summary>
    public ulong? At(ulong address, int time) => Versions(address).First(v => time < v.Until).Value;
}
