using System.Runtime.CompilerServices;
using FastNest.Lanes;

namespace FastNest.Cli.Bench;

/// <summary>Which steps a limit kernel takes.</summary>
internal enum LimitKind
{
    /// <summary>One probe of an IOTLB.</summary>
    Iotlb,

    /// <summary>Two probes of caches of tables, two loads.</summary>
    NestedTables,

    /// <summary>Both stages from their roots: 24 loads.</summary>
    NestedWalk,

    /// <summary>One probe of a cache of tables, one load.</summary>
    HostTables,
}

/// <summary>
/// The floor: a kernel for one scenario's formats and sizes, with no faults, permissions, devices, memory map or results beyond
/// the address, and caches that are filled before. Kernels with caches of tables come in two forms: 32 walks at a time in
/// registers, or a whole batch step by step, with what the next step reads brought near.
/// </summary>
internal sealed class LimitContender<TLanes> : IContender
    where TLanes : struct, ILanes<TLanes>
{
    private const ulong AddressMask = 0xF_FFFF_FFFF_F000;
    private const int Together = 4;

    private readonly Workload _workload;
    private readonly LimitKind _kind;
    private readonly LimitTable _iotlb;
    private readonly LimitTable _guest;
    private readonly LimitTable _host;
    private readonly bool _ahead;
    private readonly ulong[] _results = new ulong[Workload.Batch];
    private readonly ulong _base;
    private readonly ulong _guestRoot;
    private readonly ulong _hostRoot;

    public LimitContender(Workload workload, LimitKind kind, bool ahead)
    {
        _workload = workload;
        _ahead = ahead;
        _kind = kind;
        BenchMachine machine = workload.Machine;
        _base = (ulong)machine.Host;
        _guestRoot = machine.GuestRoot;
        _hostRoot = machine.HostRoot;
        _iotlb = new(kind == LimitKind.Iotlb ? machine.Pages : 1);
        _guest = new(Math.Max(1, machine.Pages / 512));
        _host = new(Math.Max(1, machine.Pages / 512));
        for (int page = 0; page < machine.Pages; page++)
        {
            Prepare(machine.Iova(page), page);
        }
    }

    public string Name => "limit";

    public void Run()
    {
        for (int done = 0; done < _workload.Iovas.Length; done += Workload.Batch)
        {
            ReadOnlySpan<ulong> iovas = _workload.Iovas.AsSpan(done, Workload.Batch);
            switch (_kind)
            {
                case LimitKind.Iotlb:
                    Probe(iovas);
                    break;
                case LimitKind.NestedTables when _ahead:
                    LookUp(_guest, iovas);
                    Read();
                    LookUp(_host, _results);
                    Read();
                    AddOffsets(iovas);
                    break;
                case LimitKind.HostTables when _ahead:
                    LookUp(_host, iovas);
                    Read();
                    AddOffsets(iovas);
                    break;
                case LimitKind.NestedTables:
                    NestedTables(iovas);
                    break;
                case LimitKind.NestedWalk:
                    NestedWalk(iovas);
                    break;
                default:
                    HostTables(iovas);
                    break;
            }
        }
    }

    public bool IsRight() => Workload.IsRight(_workload, _results);

    public void Dispose()
    {
        _iotlb.Dispose();
        _guest.Dispose();
        _host.Dispose();
    }

    private void Prepare(ulong iova, int page)
    {
        BenchMachine machine = _workload.Machine;
        if (_kind == LimitKind.Iotlb)
        {
            _iotlb.Put(iova >> 12, (1UL << 40) + ((ulong)page << 12));
        }
        else if (_kind == LimitKind.HostTables)
        {
            _host.Put(iova >> 21, machine.LowestTable(_hostRoot, iova));
        }
        else if (_kind == LimitKind.NestedTables)
        {
            _guest.Put(iova >> 21, machine.LowestTable(_guestRoot, iova));
            machine.Memory.Load64(machine.GuestLeaf(iova), out ulong entry);
            ulong guestPage = entry & AddressMask;
            _host.Put(guestPage >> 21, machine.LowestTable(_hostRoot, guestPage));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Probe(ReadOnlySpan<ulong> iovas)
    {
        TLanes mask = TLanes.All(_iotlb.Mask << 4);
        TLanes offset = TLanes.All(0xFFF);
        for (int i = 0; i < iovas.Length; i += TLanes.Count)
        {
            TLanes iova = TLanes.Load(in iovas[i], 0);
            TLanes number = iova >>> 12;
            TLanes.GatherPairs(_iotlb.Start, (iova >>> 8) & mask, out TLanes known, out TLanes page);
            Check(TLanes.Equal(known, number));
            TLanes.Store(page | (iova & offset), ref _results[i], 0);
        }
    }

    /// <summary>Where the entries of level 1 stand, which are brought near.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void LookUp(LimitTable tables, ReadOnlySpan<ulong> addresses)
    {
        TLanes mask = TLanes.All(tables.Mask << 4);
        for (int i = 0; i < addresses.Length; i += TLanes.Count)
        {
            TLanes address = TLanes.Load(in addresses[i], 0);
            TLanes number = address >>> 21;
            TLanes.GatherPairs(tables.Start, (address >>> 17) & mask, out TLanes known, out TLanes found);
            Check(TLanes.Equal(known, number));
            TLanes pointer = found + ((address >>> 9) & TLanes.All(511 << 3)) + TLanes.All(_base);
            TLanes.Prefetch(pointer);
            TLanes.Store(pointer, ref _results[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Read()
    {
        for (int i = 0; i < _results.Length; i += TLanes.Count)
        {
            TLanes entry = TLanes.Gather(TLanes.Load(in _results[i], 0), (1u << TLanes.Count) - 1);
            Check(TLanes.Equal(entry & TLanes.All(1), TLanes.All(1)));
            TLanes.Store(entry & TLanes.All(AddressMask), ref _results[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void AddOffsets(ReadOnlySpan<ulong> iovas)
    {
        for (int i = 0; i < iovas.Length; i += TLanes.Count)
        {
            TLanes.Store(TLanes.Load(in _results[i], 0) | (TLanes.Load(in iovas[i], 0) & TLanes.All(0xFFF)), ref _results[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void HostTables(ReadOnlySpan<ulong> iovas)
    {
        TLanes mask = TLanes.All(_host.Mask << 4);
        for (int i = 0; i < iovas.Length; i += TLanes.Count)
        {
            TLanes iova = TLanes.Load(in iovas[i], 0);
            TLanes.Store(Below(_host.Start, mask, iova) | (iova & TLanes.All(0xFFF)), ref _results[i], 0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void NestedTables(ReadOnlySpan<ulong> iovas)
    {
        TLanes guestMask = TLanes.All(_guest.Mask << 4);
        TLanes hostMask = TLanes.All(_host.Mask << 4);
        TLanes offset = TLanes.All(0xFFF);
        for (int i = 0; i < iovas.Length; i += 2 * TLanes.Count)
        {
            TLanes a = TLanes.Load(in iovas[i], 0);
            TLanes b = TLanes.Load(in iovas[i], TLanes.Count);
            TLanes ga = Below(_guest.Start, guestMask, a);
            TLanes gb = Below(_guest.Start, guestMask, b);
            ga = Below(_host.Start, hostMask, ga);
            gb = Below(_host.Start, hostMask, gb);
            TLanes.Store(ga | (a & offset), ref _results[i], 0);
            TLanes.Store(gb | (b & offset), ref _results[i], TLanes.Count);
        }
    }

    private void NestedWalk(ReadOnlySpan<ulong> iovas)
    {
        for (int i = 0; i < iovas.Length; i += Together * TLanes.Count)
        {
            TLanes a = TLanes.Load(in iovas[i], 0);
            TLanes b = TLanes.Load(in iovas[i], TLanes.Count);
            TLanes c = TLanes.Load(in iovas[i], 2 * TLanes.Count);
            TLanes d = TLanes.Load(in iovas[i], 3 * TLanes.Count);
            TLanes ta = TLanes.All(_guestRoot);
            TLanes tb = ta;
            TLanes tc = ta;
            TLanes td = ta;
            for (int level = 4; level > 0; level--)
            {
                int shift = 3 + 9 * level;
                Stage(ref ta, ref tb, ref tc, ref td);
                ta = Entry(ta, a, shift);
                tb = Entry(tb, b, shift);
                tc = Entry(tc, c, shift);
                td = Entry(td, d, shift);
            }

            Stage(ref ta, ref tb, ref tc, ref td);
            TLanes offset = TLanes.All(0xFFF);
            TLanes.Store(ta | (a & offset), ref _results[i], 0);
            TLanes.Store(tb | (b & offset), ref _results[i], TLanes.Count);
            TLanes.Store(tc | (c & offset), ref _results[i], 2 * TLanes.Count);
            TLanes.Store(td | (d & offset), ref _results[i], 3 * TLanes.Count);
        }
    }

    /// <summary>The second stage of four groups of lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Stage(ref TLanes a, ref TLanes b, ref TLanes c, ref TLanes d)
    {
        TLanes ta = TLanes.All(_hostRoot);
        TLanes tb = ta;
        TLanes tc = ta;
        TLanes td = ta;
        for (int shift = 39; shift > 3; shift -= 9)
        {
            ta = Entry(ta, a, shift);
            tb = Entry(tb, b, shift);
            tc = Entry(tc, c, shift);
            td = Entry(td, d, shift);
        }

        (a, b, c, d) = (ta, tb, tc, td);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Entry(TLanes table, TLanes address, int shift)
    {
        TLanes index = (address >>> (shift - 3)) & TLanes.All(511 << 3);
        TLanes entry = TLanes.Gather(table + index + TLanes.All(_base), (1u << TLanes.Count) - 1);
        Check(TLanes.Equal(entry & TLanes.All(1), TLanes.All(1)));
        return entry & TLanes.All(AddressMask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Below(nint table, TLanes mask, TLanes address)
    {
        TLanes number = address >>> 21;
        TLanes.GatherPairs(table, (address >>> 17) & mask, out TLanes known, out TLanes found);
        Check(TLanes.Equal(known, number));
        return Entry(found, address, 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Check(uint bits)
    {
        if (bits != (1u << TLanes.Count) - 1)
        {
            throw new InvalidOperationException("the kernel's machine is not the scenario's");
        }
    }
}
