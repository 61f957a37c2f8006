using FastNest.Requests;

namespace FastNest.Caches;

/// <summary>A port's direct-mapped cache of what is known of each device; owned by one thread.</summary>
/// <typeparam name="TContext">What is known.</typeparam>
internal sealed class ContextCache<TContext>
    where TContext : struct
{
    private readonly Entry[] _entries;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    public ContextCache(int entries) => _entries = new Entry[entries];

    public bool TryGet(DeviceId device, out TContext context)
    {
        if (_entries.Length == 0)
        {
            context = default;
            return false;
        }

        ref Entry entry = ref Slot(device);
        context = entry.Context;
        return entry.Valid && entry.Device == device;
    }

    public void Fill(DeviceId device, in TContext context)
    {
        if (_entries.Length != 0)
        {
            Slot(device) = new Entry { Valid = true, Device = device, Context = context };
        }
    }

    public void Invalidate(DeviceId device)
    {
        if (_entries.Length != 0 && Slot(device).Device == device)
        {
            Slot(device).Valid = false;
        }
    }

    public void Clear() => Array.Clear(_entries);

    private ref Entry Slot(DeviceId device) => ref _entries[device.Value & (uint)(_entries.Length - 1)];

    private struct Entry
    {
        public bool Valid;
        public DeviceId Device;
        public TContext Context;
    }
}
