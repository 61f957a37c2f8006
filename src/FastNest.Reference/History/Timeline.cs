using FastNest.Reference.Registers;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.History;

/// <summary>Which values each structure may be seen with now, by a cache or anew.</summary>
internal sealed class Timeline(Journal journal, RegisterVersions registers)
{
    private readonly List<Invalidation> _submitted = [];
    private readonly List<Invalidation> _completed = [];

    public int Now { get; private set; }

    public int Tick() => ++Now;

    public void Submit(ulong low, ulong high) => _submitted.Add(new(Tick(), low, high));

    /// <summary>Everything before the oldest wait is done; false when there is no wait.</summary>
    public bool CompleteWait()
    {
        int wait = _submitted.FindIndex(c => c.IsWait);
        if (wait < 0)
            return false;
        _completed.AddRange(_submitted.Take(wait));
        _submitted.RemoveRange(0, wait + 1);
        return true;
    }

    /// <summary>The settings that walks may go by, each once.</summary>
    public IEnumerable<RegisterFile> Settings()
    {
        int since = Since(c => c.CoversAll);
        return registers.All().Where(v => Held(v.From, v.Until, since)).Select(v => v.Registers).DistinctBy(RegisterVersions.Key);
    }

    /// <summary>The entries that a device may have, each once: whole ones, as they stood at one time where the registers then pointed.</summary>
    public IReadOnlyList<DeviceFetch> DeviceEntries(DeviceId device)
    {
        int since = Since(c => c.CoversDevice(device.Value));
        Dictionary<(ulong?, ulong, ulong, ulong, ulong), DeviceFetch> entries = [];
        foreach ((int from, int until, RegisterFile file) in registers.All())
        {
            ulong? spa = DeviceTable.AddressOf(device, file);
            List<int> starts = [from];
            if (spa is ulong at)
                starts.AddRange(Enumerable.Range(0, 4).SelectMany(i => journal.Versions(at + (ulong)i * 8)).Select(v => v.From).Where(t => t > from && t < until));
            starts.Sort();
            for (int i = 0; i < starts.Count; i++)
            {
                if (Held(starts[i], i + 1 < starts.Count ? starts[i + 1] : until, since))
                    Add(spa, starts[i]);
            }
        }

        return [.. entries.Values];

        void Add(ulong? spa, int time)
        {
            ulong?[] raw = spa is ulong at ? [.. Enumerable.Range(0, 4).Select(i => journal.At(at + (ulong)i * 8, time))] : [];
            if (raw.Length == 0 || raw.Any(q => q is null))
                entries.TryAdd((spa ?? ulong.MaxValue, 0, 0, 0, 0), new(spa, null));
            else
                entries.TryAdd((null, raw[0]!.Value, raw[1]!.Value, raw[2]!.Value, raw[3]!.Value), new(spa, [.. raw.Select(q => q!.Value)]));
        }
    }

    /// <summary>The values of a v1 entry on the way to an address.</summary>
    public IEnumerable<ulong?> Host(ulong spa, ushort domain, ulong address) =>
        Values(spa, directory => Since(c => c.CoversHost(domain, address, directory)), v => Bits.IsSet(v, 0) && !HostStage.IsLeaf(v));

    /// <summary>The values of a guest table entry on the way to an address.</summary>
    public IEnumerable<ulong?> Guest(ulong spa, ushort domain, uint pasid, ulong address, int level) =>
        Values(spa, directory => Since(c => c.CoversGuest(domain, pasid, address, directory)), v => Bits.IsSet(v, 0) && !GuestStage.IsLeaf(v, level));

    /// <summary>The values of a PASID table entry.</summary>
    public IEnumerable<ulong?> PasidTable(ulong spa, ushort domain, uint pasid) =>
        Values(spa, _ => Since(c => c.CoversPasidTable(domain, pasid)), _ => false);

    private IEnumerable<ulong?> Values(ulong spa, Func<bool, int> since, Func<ulong, bool> isDirectory)
    {
        int leaves = since(false), directories = since(true);
        return journal.Versions(spa)
            .Where(v => Held(v.From, v.Until, v.Value is ulong value && isDirectory(value) ? directories : leaves))
            .Select(v => v.Value)
            .Distinct();
    }

    // A command drops what was cached before it was executed, at the earliest when it was submitted.
    private int Since(Func<Invalidation, bool> covers) => _completed.Where(covers).Select(c => c.Time).DefaultIfEmpty(0).Max();

    // Whether something that stood from one time until another could be read since a third: only while IommuEn was set.
    private bool Held(int from, int until, int since)
    {
        int first = Math.Max(from, since), end = Math.Min(until, Now + 1);
        return registers.All().Any(v => v.Registers.Control.IommuEn && Math.Max(first, v.From) < Math.Min(end, v.Until));
    }
}
