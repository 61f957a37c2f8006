using System.Numerics;
using FastNest.Memory;

namespace FastNest.Cli.Bench;

/// <summary>A direct-mapped table of pairs, as large as the scenario needs.</summary>
internal sealed unsafe class LimitTable : IDisposable
{
    private readonly NativeBlock _memory;

    public LimitTable(int entries)
    {
        ulong size = BitOperations.RoundUpToPowerOf2((ulong)entries);
        Mask = size - 1;
        _memory = new(size * 16);
    }

    public nint Start => _memory.Start;

    public ulong Mask { get; }

    public void Put(ulong key, ulong value) => Put(key, value, key);

    /// <summary>Puts a pair where a number other than its key says.</summary>
    public void Put(ulong key, ulong value, ulong place)
    {
        ulong* pair = (ulong*)Start + (place & Mask) * 2;
        pair[0] = key;
        pair[1] = value;
    }

    public void Dispose() => _memory.Dispose();
}
