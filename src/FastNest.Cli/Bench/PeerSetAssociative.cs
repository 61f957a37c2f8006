namespace FastNest.Cli.Bench;

/// <summary>
/// The shape of a processor simulator's TLB: 64 sets of eight, the least recently used goes, over a walk that begins in the
/// lowest table known to a cache per level.
/// </summary>
internal sealed class PeerSetAssociative : IContender
{
    private const int Sets = 64;
    private const int Ways = 8;
    private const int WalkEntries = 256;

    private readonly Workload _workload;
    private readonly PeerTables _tables;
    private readonly (ulong Number, ulong Page, long Used)[] _entries = new (ulong, ulong, long)[Sets * Ways];
    private readonly (ulong Number, ulong Table)[][] _known;
    private readonly ulong[] _results = new ulong[Workload.Batch];
    private long _clock;

    public PeerSetAssociative(Workload workload)
    {
        _workload = workload;
        _tables = new(workload.Machine);
        _known = [.. Enumerable.Range(0, BenchMachine.Levels).Select(_ => new (ulong, ulong)[WalkEntries])];
    }

    public string Name => "peer-setassoc";

    public void Run()
    {
        for (int i = 0; i < _workload.Iovas.Length; i++)
        {
            _results[i % Workload.Batch] = Translate(_workload.Iovas[i]);
        }
    }

    public bool IsRight() => Workload.IsRight(_workload, _results);

    public void Dispose() => Array.Clear(_entries);

    private ulong Translate(ulong iova)
    {
        ulong number = iova >> 12;
        Span<(ulong Number, ulong Page, long Used)> set = _entries.AsSpan((int)(number % Sets) * Ways, Ways);
        int oldest = 0;
        for (int way = 0; way < Ways; way++)
        {
            if (set[way].Number == number)
            {
                set[way].Used = ++_clock;
                return set[way].Page | (iova & 0xFFF);
            }

            oldest = set[way].Used < set[oldest].Used ? way : oldest;
        }

        ulong address = _workload.Machine.IsNested ? Walk(iova) : _tables.Walk(iova);
        set[oldest] = (number, address & ~0xFFFUL, ++_clock);
        return address;
    }

    private ulong Walk(ulong iova)
    {
        int level = 1;
        ulong table = 0;
        for (; level < BenchMachine.Levels; level++)
        {
            ref (ulong Number, ulong Table) known = ref Known(level, iova);
            if (known.Table != 0 && known.Number == iova >> (12 + 9 * level))
            {
                table = known.Table;
                break;
            }
        }

        if (level == BenchMachine.Levels)
        {
            table = _workload.Machine.GuestRoot;
        }

        for (; level > 1; level--)
        {
            table = _tables.Step(table, iova, level);
            Known(level - 1, iova) = (iova >> (12 + 9 * (level - 1)), table);
        }

        return _tables.Nested(iova, table, 1);
    }

    private ref (ulong Number, ulong Table) Known(int level, ulong iova) =>
        ref _known[level][(iova >> (12 + 9 * level)) % WalkEntries];
}
