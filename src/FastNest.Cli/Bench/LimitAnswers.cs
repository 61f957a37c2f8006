using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Lanes;
using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>
/// The floor of whole answers, an experiment beside <see cref="LimitContender{TLanes}"/>: the same steps over a batch, but keys
/// with tags, rights gathered on the way, results of sixteen bytes, and requests of several requesters, who are looked up. Still no
/// faults, memory map, contexts or choice. What the engine needs beyond it, it owes to those. One stage comes in two forms: step
/// by step over the batch with entries brought near, or straight.
/// </summary>
internal sealed class LimitAnswers<TLanes> : IContender
    where TLanes : struct, ILanes<TLanes>
{
    private const ulong AddressMask = 0xF_FFFF_FFFF_F000;
    private const ulong RightsMask = 3;
    private const int TagShift = 45;

    private readonly Workload _workload;
    private readonly LimitKind _kind;
    private readonly bool _nested;
    private readonly bool _ahead;
    private readonly LimitTable _requesters;
    private readonly LimitTable _guest;
    private readonly LimitTable _host;
    private readonly ulong[] _iovas = new ulong[Workload.Batch];
    private readonly ulong[] _tags = new ulong[Workload.Batch];
    private readonly ulong[] _found = new ulong[Workload.Batch];
    private readonly ulong[] _pointers = new ulong[Workload.Batch];
    private readonly ulong[] _pages = new ulong[Workload.Batch];
    private readonly ulong[] _results = new ulong[2 * Workload.Batch];
    private readonly ulong _base;

    public LimitAnswers(Workload workload, LimitKind kind, bool ahead)
    {
        _ahead = ahead;
        _workload = workload;
        _kind = kind;
        _nested = kind != LimitKind.HostTables;
        BenchMachine machine = workload.Machine;
        _base = (ulong)machine.Host;
        _requesters = new(machine.Devices);
        _guest = new(Math.Max(1, machine.Pages / 256));
        _host = new(Math.Max(1, machine.Pages / 256));
        for (int device = 0; device < machine.Devices; device++)
        {
            _requesters.Put(machine.Requester(device).Request(0, Access.Read).Requester, (ulong)device << TagShift);
        }

        for (int page = 0; page < machine.Pages; page++)
        {
            Prepare(machine.Iova(page), page / machine.PagesPerDevice);
        }
    }

    public string Name => "limit-answers";

    public void Run()
    {
        for (int done = 0; done < _workload.Iovas.Length; done += Workload.Batch)
        {
            ref ulong iovas = ref _workload.Iovas[done];
            if (_kind == LimitKind.NestedWalk)
            {
                Walk(ref iovas);
                continue;
            }

            if (_workload.Machine.Devices > 1)
            {
                Stage(ref MemoryMarshal.GetReference(MemoryMarshal.Cast<TranslationRequest, ulong>(_workload.Requests.AsSpan(done))));
                iovas = ref _iovas[0];
            }

            if (!_nested && !_ahead)
            {
                Straight(ref iovas);
                continue;
            }

            if (_nested)
            {
                LookUp(_guest, ref iovas);
                Read(guest: true);
                LookUp(_host, ref _pages[0]);
            }
            else
            {
                LookUp(_host, ref iovas);
            }

            Answer(ref iovas);
        }
    }

    public bool IsRight()
    {
        var addresses = new ulong[Workload.Batch];
        for (int i = 0; i < addresses.Length; i++)
        {
            addresses[i] = _results[2 * i];
        }

        return Workload.IsRight(_workload, addresses);
    }

    public void Dispose()
    {
        _requesters.Dispose();
        _guest.Dispose();
        _host.Dispose();
    }

    private void Prepare(ulong iova, int device)
    {
        BenchMachine machine = _workload.Machine;
        ulong tag = (ulong)device << TagShift;
        ulong address = iova;
        if (_nested)
        {
            ulong table = machine.LowestTable(machine.GuestRootOf(device), iova);
            _guest.Put(tag | iova >> 21, table | RightsMask, Place(tag, iova));
            machine.Memory.Load64(table + (iova >> 9 & 511 << 3), out ulong entry);
            address = entry & AddressMask;
        }

        _host.Put(tag | address >> 21, machine.LowestTable(machine.HostRoot, address) | RightsMask, Place(tag, address));
    }

    private static ulong Place(ulong tag, ulong address) => (address >> 21) + (tag >> (TagShift - 2));

    /// <summary>Who asks, and what that brings along.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stage(ref ulong requests)
    {
        TLanes mask = TLanes.All(_requesters.Mask);
        nint table = _requesters.Start;
        for (int i = 0; i < Workload.Batch; i += TLanes.Count)
        {
            TLanes.LoadPairs(in requests, i, out TLanes iova, out TLanes who);
            TLanes.GatherPairs(table, (who & mask) << 4, out TLanes known, out TLanes tag);
            Check(known ^ who);
            TLanes.Store(iova, ref _iovas[i], 0);
            TLanes.Store(tag, ref _tags[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void LookUp(LimitTable tables, ref ulong addresses)
    {
        TLanes mask = TLanes.All(tables.Mask << 4);
        nint table = tables.Start;
        for (int i = 0; i < Workload.Batch; i += TLanes.Count)
        {
            TLanes address = TLanes.Load(in addresses, i);
            TLanes tag = TLanes.Load(in _tags[i], 0);
            TLanes offsets = ((address >>> 17) + (tag >>> (TagShift - 6))) & mask;
            TLanes.GatherPairs(table, offsets, out TLanes known, out TLanes found);
            Check(known ^ ((address >>> 21) | tag));
            TLanes pointer = (found & TLanes.All(AddressMask)) + ((address >>> 9) & TLanes.All(511 << 3)) + TLanes.All(_base);
            TLanes.Prefetch(pointer);
            TLanes.Store(pointer, ref _pointers[i], 0);
            TLanes.Store(found, ref _found[i], 0);
        }
    }

    /// <summary>One stage of one device from address to answer, with nothing brought near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Straight(ref ulong addresses)
    {
        TLanes mask = TLanes.All(_host.Mask << 4);
        nint table = _host.Start;
        TLanes tag = TLanes.Load(in _tags[0], 0);
        TLanes spread = tag >>> (TagShift - 6);
        for (int i = 0; i < Workload.Batch; i += TLanes.Count)
        {
            TLanes address = TLanes.Load(in addresses, i);
            TLanes offsets = ((address >>> 17) + spread) & mask;
            TLanes.GatherPairs(table, offsets, out TLanes known, out TLanes found);
            TLanes pointer = (found & TLanes.All(AddressMask)) + ((address >>> 9) & TLanes.All(511 << 3)) + TLanes.All(_base);
            TLanes entry = TLanes.Gather(pointer, (1u << TLanes.Count) - 1);
            Check(((entry & TLanes.All(1)) ^ TLanes.All(1)) | (known ^ ((address >>> 21) | tag)));
            TLanes page = TLanes.OrAnd(entry & TLanes.All(AddressMask), (entry >>> 61) & found, TLanes.All(RightsMask));
            TLanes output = TLanes.Blend(TLanes.All(0xFFF), address, page);
            TLanes.StorePairs(output, page | tag, ref _results[0], i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Read(bool guest)
    {
        for (int i = 0; i < Workload.Batch; i += TLanes.Count)
        {
            TLanes.Store(Page(i, guest), ref _pages[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Answer(ref ulong iovas)
    {
        for (int i = 0; i < Workload.Batch; i += TLanes.Count)
        {
            TLanes page = Page(i, guest: false);
            TLanes output = TLanes.Blend(TLanes.All(0xFFF), TLanes.Load(in iovas, i), page);
            TLanes answer = TLanes.AndOr(page, TLanes.Load(in _pages[i], 0), TLanes.All(~RightsMask)) | TLanes.Load(in _tags[i], 0);
            TLanes.StorePairs(output, answer, ref _results[0], i);
        }
    }

    /// <summary>Both stages of four groups of lanes from their roots, the rights of all entries gathered.</summary>
    private void Walk(ref ulong iovas)
    {
        ulong root = _workload.Machine.GuestRoot | RightsMask;
        TLanes host = TLanes.All(_workload.Machine.HostRoot | RightsMask);
        for (int i = 0; i < Workload.Batch; i += 4 * TLanes.Count)
        {
            TLanes ta = TLanes.All(root);
            TLanes tb = ta;
            TLanes tc = ta;
            TLanes td = ta;
            TLanes ra;
            TLanes rb;
            TLanes rc;
            TLanes rd;
            for (int shift = 39; ; shift -= 9)
            {
                (ra, rb, rc, rd) = (host, host, host, host);
                for (int below = 39; below > 3; below -= 9)
                {
                    ra = Below(ra, ta, below, 61);
                    rb = Below(rb, tb, below, 61);
                    rc = Below(rc, tc, below, 61);
                    rd = Below(rd, td, below, 61);
                }

                if (shift == 3)
                {
                    break;
                }

                ta = Below(ra & TLanes.All(AddressMask) | ta & TLanes.All(RightsMask), TLanes.Load(in iovas, i), shift, 0);
                tb = Below(rb & TLanes.All(AddressMask) | tb & TLanes.All(RightsMask), TLanes.Load(in iovas, i + TLanes.Count), shift, 0);
                tc = Below(rc & TLanes.All(AddressMask) | tc & TLanes.All(RightsMask), TLanes.Load(in iovas, i + 2 * TLanes.Count), shift, 0);
                td = Below(rd & TLanes.All(AddressMask) | td & TLanes.All(RightsMask), TLanes.Load(in iovas, i + 3 * TLanes.Count), shift, 0);
            }

            Put(i, TLanes.Load(in iovas, i), ta, ra);
            Put(i + TLanes.Count, TLanes.Load(in iovas, i + TLanes.Count), tb, rb);
            Put(i + 2 * TLanes.Count, TLanes.Load(in iovas, i + 2 * TLanes.Count), tc, rc);
            Put(i + 3 * TLanes.Count, TLanes.Load(in iovas, i + 3 * TLanes.Count), td, rd);
        }
    }

    /// <summary>What an address leads to from a table: the next table or the page, with what it and those above it grant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Below(TLanes table, TLanes address, int shift, int rights)
    {
        TLanes index = (address >>> (shift - 3)) & TLanes.All(511 << 3);
        TLanes entry = TLanes.Gather((table & TLanes.All(AddressMask)) + index + TLanes.All(_base), (1u << TLanes.Count) - 1);
        Check((entry & TLanes.All(1)) ^ TLanes.All(1));
        return TLanes.OrAnd(entry & TLanes.All(AddressMask), (entry >>> rights) & table, TLanes.All(RightsMask));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(int from, TLanes iova, TLanes guest, TLanes page) => TLanes.StorePairs(
        TLanes.Blend(TLanes.All(0xFFF), iova, page), TLanes.AndOr(page, guest, TLanes.All(~RightsMask)), ref _results[0], from);

    /// <summary>An entry's page, with what it and what leads to it grant.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Page(int from, bool guest)
    {
        TLanes entry = TLanes.GatherEach(ref _pointers[0], from);
        Check((entry & TLanes.All(1)) ^ TLanes.All(1));
        TLanes rights = guest ? entry : entry >>> 61;
        return TLanes.OrAnd(entry & TLanes.All(AddressMask), rights & TLanes.Load(in _found[from], 0), TLanes.All(RightsMask));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Check(TLanes unlike)
    {
        if (!TLanes.IsZero(unlike))
        {
            throw new InvalidOperationException("the kernel's machine is not the scenario's");
        }
    }
}
