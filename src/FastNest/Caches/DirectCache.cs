using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FastNest.Lanes;

namespace FastNest.Caches;

/// <summary>
/// A port's direct-mapped cache of pairs, probed for many addresses at once. A key is a tag and the number of a granule of
/// 2^<see cref="Granule"/> bytes; pages larger than a granule take an entry for each granule that is asked for. Neighbouring
/// granules never meet in one place. Owned by one thread.
/// </summary>
internal sealed class DirectCache
{
    /// <summary>Tags stand above the number of a 4 KiB page of a 57-bit address.</summary>
    public const int TagShift = 45;

    /// <summary>How many tags fit a key.</summary>
    public const uint Tags = (1u << (64 - TagShift)) - 1;

    /// <summary>The widest address that a key can hold.</summary>
    public const int AddressBits = 57;

    private const int MaximumDropsShift = 9;

    /// <summary>Folding mixes in what is above the places of the largest cache of small pages that ports have by default.</summary>
    private const int FoldShift = 12;
    private const int LineBytes = 64;

    /// <summary>log2 of the bytes of a pair.</summary>
    private const int PairShift = 4;

    /// <summary>The same granule of two tags stands so many places apart, times the distance of the tags.</summary>
    private const int FarSpread = 7;
    private const int NearSpread = 2;

    private readonly ulong[] _pairs;
    private readonly int _first;
    private readonly ulong _mask;
    private readonly DirectCache? _second;
    private readonly bool _folds;
    private int _largestShift;

    /// <param name="entries">A power of two, or 0 for a cache that never holds anything.</param>
    /// <param name="granule">log2 of the bytes that an entry stands for, at least 12.</param>
    /// <param name="second">Takes what has to give way here.</param>
    /// <param name="folds">Whether granules that meet in one place of a cache that does not fold find places of their own.</param>
    public DirectCache(int entries, int granule, DirectCache? second = null, bool folds = false)
    {
        Granule = granule;
        _second = second is { IsOn: true } ? second : null;
        _folds = folds;
        int places = Math.Max(entries, 1); // one that is never used keeps even a wrong access in bounds
        _mask = (ulong)places - 1;
        _pairs = GC.AllocateArray<ulong>((2 * places) + LineBytes / sizeof(ulong), pinned: true);
        nint start = Marshal.UnsafeAddrOfPinnedArrayElement(_pairs, 0);
        Table = (start + LineBytes - 1) & -LineBytes;
        _first = (int)(Table - start) / sizeof(ulong);
        IsOn = entries != 0;
    }

    public CacheCounters Counters;

    public int Granule { get; }

    /// <summary>Whether it may hold anything.</summary>
    public bool IsOn { get; }

    /// <summary>Whether it may hold something now.</summary>
    public bool IsFilled => _largestShift != 0;

    /// <summary>Where the pairs stand, for as long as this object is alive.</summary>
    public nint Table { get; }

    /// <summary>The keys of addresses whose tags stand in their upper bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public TLanes KeyOf<TLanes>(TLanes tags, TLanes addresses)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes keys = KeyOf(tags, addresses, Granule);
        return _folds ? keys ^ (keys >>> FoldShift) : keys;
    }

    /// <summary>The same, for a cache that does not fold and a granule that is known where it is called.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes KeyOf<TLanes>(TLanes tags, TLanes addresses, int granule)
        where TLanes : struct, ILanes<TLanes> => tags | ((addresses << (64 - AddressBits)) >>> (64 - AddressBits + granule));

    /// <summary>The key of one address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong KeyOf(ulong tag, ulong address)
    {
        ulong key = tag | ((address << (64 - AddressBits)) >> (64 - AddressBits + Granule));
        return _folds ? Fold(key) : key;
    }

    /// <summary>Finds what stands at the places of keys; the caller compares them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Probe<TLanes>(TLanes keys, out TLanes found, out TLanes values)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes.GatherPairs(Table, Places(keys) << PairShift, out found, out values);
    }

    /// <summary>Which bytes behind <see cref="Table"/> pairs begin at.</summary>
    public TLanes Places<TLanes>()
        where TLanes : struct, ILanes<TLanes> => TLanes.All(_mask << PairShift);

    /// <summary>How many bytes behind <see cref="Table"/> pairs stand, of a cache that does not fold.</summary>
    /// <param name="places">The cache's.</param>
    /// <param name="spread">What <see cref="Spread"/> makes of the tags.</param>
    /// <param name="addresses">The addresses; those from 2^<see cref="AddressBits"/> on find anything.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Offsets<TLanes, TGranule>(TLanes places, TLanes spread, TLanes addresses)
        where TLanes : struct, ILanes<TLanes>
        where TGranule : struct, IGranule => ((addresses >>> (TGranule.Shift - PairShift)) + spread) & places;

    /// <summary>How far tags move what stands in bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Spread<TLanes>(TLanes tags)
        where TLanes : struct, ILanes<TLanes> =>
        (tags >>> (TagShift - FarSpread - PairShift)) + (tags >>> (TagShift - NearSpread - PairShift));

    /// <param name="key">The key.</param>
    /// <param name="value">What to keep.</param>
    /// <param name="shift">log2 of the size of what is kept: dropping any part of it drops all.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(ulong key, ulong value, int shift)
    {
        Counters.Fills++;
        Put(ref Pair(key), key, value, shift);
    }

    /// <summary>Keeps what stands below an address: see <see cref="PackedPage"/>.</summary>
    public void Keep(ulong tag, ulong address, ulong below) =>
        Fill(KeyOf(tag, address), below, (below & PackedPage.IsPage) != 0 ? PackedPage.Shift(below) : Granule);

    /// <summary>Keeps several of one size.</summary>
    public void Fill<TLanes>(TLanes keys, TLanes values, uint bits, int shift)
        where TLanes : struct, ILanes<TLanes>
    {
        Span<ulong> lanes = stackalloc ulong[3 * 8];
        TLanes.Store(keys, ref lanes[0], 0);
        TLanes.Store(values, ref lanes[0], 8);
        TLanes.Store(Places(keys), ref lanes[0], 16);
        ref ulong pairs = ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_pairs), _first);
        Counters.Fills += BitOperations.PopCount(bits);
        for (; bits != 0; bits &= bits - 1)
        {
            int lane = BitOperations.TrailingZeroCount(bits);
            Put(ref Unsafe.Add(ref pairs, (nint)(lanes[lane + 16] * 2)), lanes[lane], lanes[lane + 8], shift);
        }
    }

    /// <summary>Drops every entry of a page that overlaps a range.</summary>
    /// <param name="tag">The tag, in the upper bits.</param>
    /// <param name="address">The range's start, aligned to its size.</param>
    /// <param name="rangeShift">log2 of the range's size.</param>
    /// <returns>False, and nothing is dropped, when there are too many to look for.</returns>
    public bool TryInvalidate(ulong tag, ulong address, int rangeShift)
    {
        if (!IsFilled)
        {
            return true;
        }

        int shift = Math.Max(Math.Max(rangeShift, _largestShift), Granule);
        if (shift - Granule > MaximumDropsShift)
        {
            return false;
        }

        ulong start = address >> shift << shift;
        for (ulong i = 0; i < 1UL << (shift - Granule); i++)
        {
            ulong key = KeyOf(tag, start + (i << Granule));
            ref ulong pair = ref Pair(key);
            if (pair == key)
            {
                pair = 0;
                Counters.Invalidations++;
            }
        }

        return true;
    }

    /// <summary>Drops everything.</summary>
    public void Clear()
    {
        Array.Clear(_pairs);
        _largestShift = 0;
        Counters.Invalidations++;
    }

    private static ulong Fold(ulong key) => key ^ (key >> FoldShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Put(ref ulong pair, ulong key, ulong value, int shift)
    {
        if (pair != 0 && pair != key)
        {
            GiveWay(pair, Unsafe.Add(ref pair, 1));
        }

        pair = key;
        Unsafe.Add(ref pair, 1) = value;
        _largestShift = Math.Max(_largestShift, shift);
    }

    /// <summary>What gives way goes to the second cache, if there is one, and only what gives way there is lost.</summary>
    private void GiveWay(ulong key, ulong value)
    {
        if (_second is null)
        {
            Counters.Evictions++;
            return;
        }

        ulong folded = Fold(key);
        _second.Put(ref _second.Pair(folded), folded, value, PackedPage.Shift(value));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TLanes Places<TLanes>(TLanes keys)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes tags = keys >>> TagShift;
        return (keys + (tags << FarSpread) + (tags << NearSpread)) & TLanes.All(_mask);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref ulong Pair(ulong key)
    {
        ulong tag = key >> TagShift;
        ulong place = (key + (tag << FarSpread) + (tag << NearSpread)) & _mask;
        return ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_pairs), _first + (int)place * 2);
    }
}
