using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>What the walks of both stages do with entries.</summary>
internal static class LaneEntries
{
    /// <summary>How far addresses move down to become offsets of entries of level 1.</summary>
    public const int LeafShift = 9;

    /// <summary>Reads entries that lead on and look as most do: what stands below them.</summary>
    /// <param name="run">The largest run of memory: tables elsewhere are not read here.</param>
    /// <param name="mask">What tells that an entry leads on to the next level.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="tables">Where the tables are, with the rights gathered so far.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="shift">How far addresses move down to become offsets.</param>
    /// <param name="ok">The lanes of which all entries looked so.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Follow<TFormat, TLanes>(
        PhysicalRun run, TLanes mask, TLanes usual, TLanes tables, TLanes addresses, int shift, ref uint ok)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes entries = TLanes.Gather(run.Resolve(At(tables, addresses, shift), out uint inside), ok &= inside);
        ok &= TLanes.Equal(entries & mask, usual);
        return Below<TFormat, TLanes>(entries, tables);
    }

    /// <summary>Looks for what stands below a group of lanes, and has the entries of level 1 brought near that are there.</summary>
    /// <param name="run">The largest run of memory.</param>
    /// <param name="cache">What is known.</param>
    /// <param name="tags">The tags of the stage.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="found">Receives what stands at the lanes' places, known or not.</param>
    /// <param name="from">Where the group begins.</param>
    /// <returns>One bit for each lane that is known.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Probe<TLanes>(PhysicalRun run, DirectCache cache, TLanes tags, TLanes addresses, ref ulong found, int from)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes key = cache.KeyOf(tags, addresses);
        cache.Probe(key, out TLanes known, out TLanes below);
        TLanes.Store(below, ref found, from);
        TLanes.Prefetch(run.Resolve(At(below, addresses, LeafShift), out _));
        return TLanes.Equal(known, key);
    }

    /// <summary>What to keep of what stands below an address: where tables are is looked up once.</summary>
    public static ulong Mark(PhysicalRun run, ulong below) =>
        (below & PackedPage.IsPage) != 0 || run.Contains(below & PackedPage.AddressMask) ? below : below | PackedPage.IsElsewhere;

    /// <summary>Puts what was found for those that had been set out back to their places.</summary>
    public static void PutBack(ReadOnlySpan<ulong> found, ReadOnlySpan<ulong> places, ref ulong pages)
    {
        for (int i = 0; i < found.Length; i++)
        {
            Unsafe.Add(ref pages, (int)places[i]) = found[i];
        }
    }

    /// <summary>Where the entries stand that addresses lead to.</summary>
    /// <param name="tables">The tables they stand in, with what a <see cref="PackedPage"/> holds besides.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="shift">How far addresses move down to become offsets.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes At<TLanes>(TLanes tables, TLanes addresses, int shift)
        where TLanes : struct, ILanes<TLanes> =>
        (tables & TLanes.All(PackedPage.AddressMask)) + ((addresses >>> shift) & TLanes.All(LaneStage.IndexMask));

    /// <summary>What entries lead to, with the rights gathered so far.</summary>
    /// <param name="entries">The entries, which look as most do.</param>
    /// <param name="tables">The tables that they stand in.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Below<TFormat, TLanes>(TLanes entries, TLanes tables)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes> =>
        TLanes.OrAnd(entries & TLanes.All(TFormat.Address), TFormat.Rights(entries), tables);

    /// <summary>Reads entries of level 1 for a group of lanes.</summary>
    /// <param name="mask">What tells that an entry maps a page of 4 KiB.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="pointers">Where the entries are, all within the largest run of memory.</param>
    /// <param name="from">Where the group begins there.</param>
    /// <param name="tables">The tables that they stand in.</param>
    /// <param name="unlike">Not zero in lanes that found none.</param>
    /// <returns>Their pages: see <see cref="PackedPage"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ReadLeaves<TFormat, TLanes>(
        TLanes mask, TLanes usual, ref ulong pointers, int from, TLanes tables, out TLanes unlike)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes entries = TLanes.GatherEach(ref pointers, from);
        unlike = (entries ^ usual) & mask;
        return PageOf<TFormat, TLanes>(entries, tables);
    }

    /// <summary>
    /// Reads entries of level 1 for the lanes of a group that have a table, and takes the part of a large page for those that
    /// have one.
    /// </summary>
    /// <param name="run">The largest run of memory: tables elsewhere are not read here.</param>
    /// <param name="mask">What tells that an entry maps a page of 4 KiB.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="below">What stands below the addresses, if anything.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="found">The lanes that found a page.</param>
    /// <returns>Their pages.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ReadLeaves<TFormat, TLanes>(
        PhysicalRun run, TLanes mask, TLanes usual, TLanes below, TLanes addresses, out uint found)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes isPage = TLanes.All(PackedPage.IsPage);
        uint large = TLanes.Equal(below & isPage, isPage);
        uint small = ~large & ~TLanes.Equal(below, TLanes.All(0));
        TLanes entries = TLanes.Gather(run.Resolve(At(below, addresses, LeafShift), out uint inside), small & inside);
        uint mapped = small & inside & TLanes.Equal(entries & mask, usual);
        TLanes pages = PageOf<TFormat, TLanes>(entries, below);
        found = mapped | large;
        return large == 0 ? pages : TLanes.Select(mapped, pages, PartOf(below, addresses));
    }

    /// <summary>The same for many groups, each of which finds all its pages or is left as it was.</summary>
    /// <param name="run">The largest run of memory.</param>
    /// <param name="mask">What tells that an entry maps a page of 4 KiB.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="count">How many.</param>
    /// <param name="pages">What stands below them; receives the pages.</param>
    /// <returns>One bit for each group that is as it was.</returns>
    public static ulong ReadLeaves<TFormat, TLanes>(
        PhysicalRun run, TLanes mask, TLanes usual, ref ulong addresses, int count, ref ulong pages)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        ulong strayed = 0;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TLanes page = ReadLeaves<TFormat, TLanes>(
                run, mask, usual, TLanes.Load(in pages, i), TLanes.Load(in addresses, i), out uint found);
            if ((LaneCount.Live<TLanes>(i, count) & ~found) == 0)
            {
                TLanes.Store(page, ref pages, i);
            }
            else
            {
                strayed |= LaneCount.Group<TLanes>(i);
            }
        }

        return strayed;
    }

    /// <summary>The same for one group of lanes, wherever its tables are and whatever the entries look like.</summary>
    /// <param name="memory">Where the tables are.</param>
    /// <param name="run">Its largest run.</param>
    /// <param name="mask">What tells that an entry maps a page of 4 KiB.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="bits">The lanes there are; on return those that have a table, but no such page. They are given 0.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="pages">What stands below them; receives the pages.</param>
    /// <param name="from">Where the group begins.</param>
    /// <returns>The entries; 0 where nothing could be read.</returns>
    public static TLanes ReadSomeLeaves<TFormat, TLanes>(
        GuestPhysicalSpace memory, PhysicalRun run, TLanes mask, TLanes usual, ref uint bits, ref ulong addresses, ref ulong pages, int from)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes below = TLanes.Load(in pages, from);
        TLanes address = TLanes.Load(in addresses, from);
        TLanes isPage = TLanes.All(PackedPage.IsPage);
        uint large = TLanes.Equal(below & isPage, isPage);
        uint mapped = bits &= ~large & ~TLanes.Equal(below, TLanes.All(0));
        TLanes entries = memory.Load64(run, At(below, address, LeafShift), ref mapped);
        mapped &= TLanes.Equal(entries & mask, usual);
        TLanes rest = TLanes.Select(large, PartOf(below, address), TLanes.All(0));
        TLanes.Store(TLanes.Select(mapped, PageOf<TFormat, TLanes>(entries, below), rest), ref pages, from);
        bits &= ~mapped;
        return entries;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes PageOf<TFormat, TLanes>(TLanes entries, TLanes tables)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes> =>
        TLanes.OrAnd(
            TLanes.Blend(TLanes.All(TFormat.Address), entries, TLanes.All(PackedPage.Of(0, 12, Access.None))),
            TFormat.Rights(entries),
            tables);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes PartOf<TLanes>(TLanes large, TLanes addresses)
        where TLanes : struct, ILanes<TLanes> => large | (addresses & TLanes.All(LaneStage.GranuleMask & PackedPage.AddressMask));

    /// <summary>The granule of a page, decoded by itself, that an address lies in.</summary>
    /// <param name="leaf">The page.</param>
    /// <param name="address">What is translated.</param>
    /// <param name="table">The table that it stands in, with the rights gathered so far.</param>
    /// <param name="granuleMask">The address bits within a granule.</param>
    public static ulong Part(in DecodedEntry leaf, ulong address, ulong table, ulong granuleMask) => PackedPage.Of(
        leaf.Address | (address & ((1UL << leaf.Next) - 1) & ~granuleMask),
        leaf.Next,
        leaf.Permissions & (Access)(table & PackedPage.RightsMask));
}
