using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastNest.Engine;

/// <summary>A port's direct-mapped cache of requesters met lately; owned by one thread.</summary>
internal sealed class LaneRequesters
{
    private readonly LaneRequester[] _entries;
    private readonly uint _mask;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public LaneRequesters(int entries)
    {
        _entries = new LaneRequester[Math.Max(entries, 1)]; // one is always there to be found
        _mask = (uint)_entries.Length - 1;
        IsOn = entries != 0;
    }

    /// <summary>Whether it may hold anything.</summary>
    public bool IsOn { get; }

    /// <summary>The one place where a requester may stand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref LaneRequester Find(ulong who) =>
        // Devices of one bus stand side by side; no two of them meet.
        ref Unsafe.Add(
            ref MemoryMarshal.GetArrayDataReference(_entries),
            ((uint)who + ((uint)(who >> 32) * 0x85EB_CA6Bu >> 12)) & _mask);

    public void Clear() => Array.Clear(_entries);
}
