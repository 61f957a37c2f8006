using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>A port's direct-mapped cache of what is known of each device and PASID; owned by one thread.</summary>
/// <typeparam name="TContext">What is known.</typeparam>
internal sealed class ContextCache<TContext>
    where TContext : struct
{
    private readonly Entry[] _entries;
    private readonly uint _mask;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public ContextCache(int entries)
    {
        // An entry is always there to resolve into, even if it is never found again.
        _entries = new Entry[Math.Max(entries, 1)];
        _mask = (uint)entries - 1;
        if (entries == 0)
        {
            _mask = 0;
        }
    }

    public CacheCounters Counters;

    /// <summary>The one place where what is known of a device and PASID may stand.</summary>
    public ref Entry Find(DeviceId device, uint pasid) =>
        // Devices of one bus stand side by side; no two of them meet.
        ref _entries[(device.Value + (pasid * 0x85EB_CA6Bu >> 12)) & _mask];

    public void Clear() => Array.Clear(_entries);

    internal struct Entry
    {
        /// <summary>The tick at which it was resolved; 0 for an entry that holds nothing.</summary>
        public ulong FilledAt;

        /// <summary>The tick at which it was last seen to be alive.</summary>
        public ulong CheckedAt;

        public DeviceId Device;

        /// <summary><see cref="TagTable.NoPasid"/> for requests without one.</summary>
        public uint Pasid;

        public TContext Context;

        public readonly bool Holds(DeviceId device, uint pasid) => FilledAt != 0 && Device == device && Pasid == pasid;
    }
}
