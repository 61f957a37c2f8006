namespace FastNest.Cli.Bench;

/// <summary>
/// The shape of an emulator's IOTLB: a hash map of objects by page and domain, emptied when it holds 1024, over a full walk.
/// </summary>
internal sealed class PeerHashMap(Workload workload) : IContender
{
    private const int Most = 1024;
    private const ulong Domain = 1UL << 56;

    private readonly PeerTables _tables = new(workload.Machine);
    private readonly Dictionary<ulong, Entry> _iotlb = [];
    private readonly ulong[] _results = new ulong[Workload.Batch];

    public string Name => "peer-hashmap";

    public void Run()
    {
        for (int i = 0; i < workload.Iovas.Length; i++)
        {
            _results[i % Workload.Batch] = Translate(workload.Iovas[i]);
        }
    }

    public bool IsRight() => Workload.IsRight(workload, _results);

    public void Dispose() => _iotlb.Clear();

    private ulong Translate(ulong iova)
    {
        ulong key = iova >> 12 | Domain;
        if (!_iotlb.TryGetValue(key, out Entry? entry))
        {
            if (_iotlb.Count == Most)
            {
                _iotlb.Clear();
            }

            entry = new Entry(_tables.Walk(iova) & ~0xFFFUL);
            _iotlb.Add(key, entry);
        }

        return entry.Page | (iova & 0xFFF);
    }

    private sealed record Entry(ulong Page);
}
