using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Lanes;

namespace FastNest.Engine;

/// <summary>A port's direct-mapped cache of requesters met lately; owned by one thread.</summary>
internal sealed class LaneRequesters
{
    private readonly LaneRequester[] _entries;
    private readonly ulong _mask;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public LaneRequesters(int entries)
    {
        _entries = GC.AllocateArray<LaneRequester>(Math.Max(entries, 1), pinned: true); // one is always there to be found
        _mask = (ulong)_entries.Length - 1;
        IsOn = entries != 0;
        Table = Marshal.UnsafeAddrOfPinnedArrayElement(_entries, 0);
    }

    /// <summary>Whether it may hold anything.</summary>
    public bool IsOn { get; }

    /// <summary>Where the entries stand, for as long as this object is alive.</summary>
    public nint Table { get; }

    /// <summary>The one place where a requester may stand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Find(ulong who)
    {
        // Devices of one bus stand side by side; no two of them meet, nor do one's PASIDs, nor its reads and writes.
        ulong pasid = who >> 32;
        return (uint)((who + pasid + (pasid << 2) + (pasid << 5) + (who >> 50)) & _mask);
    }

    /// <summary>The same for several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes Find<TLanes>(TLanes who)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes pasid = who >>> 32;
        return (who + pasid + (pasid << 2) + (pasid << 5) + (who >>> 50)) & TLanes.All(_mask);
    }

    /// <summary>Who stands at a place that was found.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ref LaneRequester At(uint place) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_entries), place);

    public void Clear() => Array.Clear(_entries);
}
