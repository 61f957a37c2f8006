using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;

namespace FastNest.Walks;

/// <summary>
/// Walks the tables of the second stage for many addresses side by side, level by level: while one entry is on its way from
/// memory, those of the other walks are too. What an entry looks like mostly is judged for all lanes at once; an entry that
/// looks otherwise is decoded by itself, and its walk goes on with the others. An address that finds no page gives 0.
/// </summary>
internal sealed class HostLanes<THost, TLanes>(GuestPhysicalSpace memory, DirectCache tables)
    where THost : struct, IPageTableFormat
    where TLanes : struct, ILanes<TLanes>
{
    private const int IdentityShift = 51;

    private readonly ulong[] _addresses = new ulong[LaneCount.Stride];
    private readonly ulong[] _tags = new ulong[LaneCount.Stride];
    private readonly ulong[] _roots = new ulong[LaneCount.Stride];
    private readonly ulong[] _places = new ulong[LaneCount.Stride];
    private readonly ulong[] _found = new ulong[LaneCount.Stride];
    private readonly ulong[] _levels = new ulong[LaneCount.Stride];
    private readonly ulong[] _entries = new ulong[8];

    /// <summary>Finds pages; see <see cref="PackedPage"/>.</summary>
    /// <param name="run">The largest run of memory.</param>
    /// <param name="stage">What all have in common.</param>
    /// <param name="addresses">What is to be translated; what is below bit 12 does not count.</param>
    /// <param name="tags">Tags of the second stage.</param>
    /// <param name="roots">Top tables.</param>
    /// <param name="count">How many.</param>
    /// <param name="pages">Receives the pages, 4 KiB of them each, with the tables' rights.</param>
    public void Locate(
        PhysicalRun run, in LaneStage stage, ref ulong addresses, ref ulong tags, ref ulong roots, int count, ref ulong pages)
    {
        if (stage.Levels == 0)
        {
            for (int i = 0; i < count; i += TLanes.Count)
            {
                TLanes page = TLanes.Load(in addresses, i) & TLanes.All(PackedPage.AddressMask);
                TLanes.Store(page | TLanes.All(PackedPage.Of(0, IdentityShift, StageRights.All)), ref pages, i);
            }

            return;
        }

        if (!tables.IsFilled)
        {
            tables.Counters.Misses += count;
            Descend(run, in stage, ref addresses, ref tags, ref roots, count, ref pages);
        }
        else if (Probe(run, ref addresses, ref tags, ref roots, count, ref pages) is int missing and not 0)
        {
            Descend(run, in stage, ref _addresses[0], ref _tags[0], ref _roots[0], missing, ref _found[0]);
            LaneEntries.PutBack(_found.AsSpan(0, missing), _places, ref pages);
        }

        ReadLeaves(run, in stage, ref addresses, count, ref pages);
    }

    /// <summary>Finds the tables that are known, and has their entries brought near; the others are set out to be looked for.</summary>
    private int Probe(
        PhysicalRun run, ref ulong addresses, ref ulong tags, ref ulong roots, int count, ref ulong found)
    {
        int missing = 0;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TLanes address = TLanes.Load(in addresses, i);
            TLanes tag = TLanes.Load(in tags, i);
            uint miss = LaneCount.Live<TLanes>(i, count) & ~LaneEntries.Probe(run, tables, tag, address, ref found, i);
            if (miss != 0)
            {
                TLanes.Compress(address, miss, ref _addresses[0], missing);
                TLanes.Compress(tag, miss, ref _tags[0], missing);
                TLanes.Compress(TLanes.Load(in roots, i), miss, ref _roots[0], missing);
                TLanes.Compress(TLanes.Load(in LaneCount.Numbers[0], i), miss, ref _places[0], missing);
                missing += BitOperations.PopCount(miss);
            }
        }

        tables.Counters.Hits += count - missing;
        tables.Counters.Misses += missing;
        return missing;
    }

    /// <summary>Goes down to the tables of level 1, or to large pages, and keeps them.</summary>
    private void Descend(
        PhysicalRun run, in LaneStage stage, ref ulong addresses, ref ulong tags, ref ulong roots, int count, ref ulong found)
    {
        ulong strayed = DescendStraight(run, in stage, ref addresses, ref roots, count, ref found);
        if (strayed != 0)
        {
            DescendStrayed(run, in stage, strayed, ref addresses, ref roots, count, ref found);
        }

        if (tables.IsOn)
        {
            for (int i = 0; i < count; i++)
            {
                ulong value = Unsafe.Add(ref found, i);
                if (value != 0 && (value & LaneStage.Unkept) == 0)
                {
                    tables.Keep(Unsafe.Add(ref tags, i), Unsafe.Add(ref addresses, i), LaneEntries.Mark(run, value));
                }
            }
        }
    }

    /// <summary>
    /// Four groups of lanes at a time, so that memory is asked for 32 entries at once; tables stay in registers from level to
    /// level, as long as every entry looks as most do.
    /// </summary>
    /// <returns>One bit for each group of which some entry did not.</returns>
    private static ulong DescendStraight(
        PhysicalRun run, in LaneStage stage, ref ulong addresses, ref ulong roots, int count, ref ulong found)
    {
        ulong strayed = 0;
        int reach = THost.IndexShift(stage.Levels + 1);
        for (int i = 0; i < count; i += 4 * TLanes.Count)
        {
            int j = i + TLanes.Count;
            int k = j + TLanes.Count;
            int l = k + TLanes.Count;
            TLanes a = TLanes.Load(in addresses, i);
            TLanes b = TLanes.Load(in addresses, j);
            TLanes c = TLanes.Load(in addresses, k);
            TLanes d = TLanes.Load(in addresses, l);
            TLanes rights = TLanes.All((ulong)StageRights.All);
            TLanes ta = TLanes.Load(in roots, i) | rights;
            TLanes tb = TLanes.Load(in roots, j) | rights;
            TLanes tc = TLanes.Load(in roots, k) | rights;
            TLanes td = TLanes.Load(in roots, l) | rights;
            uint oka = Fits(reach, a, LaneCount.Live<TLanes>(i, count));
            uint okb = Fits(reach, b, LaneCount.Live<TLanes>(j, count));
            uint okc = Fits(reach, c, LaneCount.Live<TLanes>(k, count));
            uint okd = Fits(reach, d, LaneCount.Live<TLanes>(l, count));
            for (int level = stage.Levels; level > 1; level--)
            {
                int shift = THost.IndexShift(level) - 3;
                THost.Usual(level, out ulong usualMask, out ulong usualValue);
                TLanes mask = TLanes.All(usualMask | stage.TableMarks);
                TLanes usual = TLanes.All(usualValue | stage.TableMarks);
                ta = LaneEntries.Follow<THost, TLanes>(run, mask, usual, ta, a, shift, ref oka);
                tb = LaneEntries.Follow<THost, TLanes>(run, mask, usual, tb, b, shift, ref okb);
                tc = LaneEntries.Follow<THost, TLanes>(run, mask, usual, tc, c, shift, ref okc);
                td = LaneEntries.Follow<THost, TLanes>(run, mask, usual, td, d, shift, ref okd);
            }

            TLanes.Store(ta, ref found, i);
            TLanes.Store(tb, ref found, j);
            TLanes.Store(tc, ref found, k);
            TLanes.Store(td, ref found, l);
            strayed |= oka == LaneCount.Live<TLanes>(i, count) ? 0 : LaneCount.Group<TLanes>(i);
            strayed |= okb == LaneCount.Live<TLanes>(j, count) ? 0 : LaneCount.Group<TLanes>(j);
            strayed |= okc == LaneCount.Live<TLanes>(k, count) ? 0 : LaneCount.Group<TLanes>(k);
            strayed |= okd == LaneCount.Live<TLanes>(l, count) ? 0 : LaneCount.Group<TLanes>(l);
        }

        return strayed;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Fits(int reach, TLanes addresses, uint live) =>
        reach >= 64 ? live : live & TLanes.Equal(addresses >>> reach, TLanes.All(0));

    /// <summary>The groups that strayed, from their roots again, level by level.</summary>
    private void DescendStrayed(
        PhysicalRun run, in LaneStage stage, ulong strayed, ref ulong addresses, ref ulong roots, int count, ref ulong found)
    {
        int reach = THost.IndexShift(stage.Levels + 1);
        for (ulong rest = strayed; rest != 0; rest &= rest - 1)
        {
            int i = LaneCount.First<TLanes>(rest);
            TLanes root = TLanes.Load(in roots, i) | TLanes.All((ulong)StageRights.All);
            uint fits = Fits(reach, TLanes.Load(in addresses, i), uint.MaxValue);
            TLanes zero = TLanes.All(0);
            TLanes.Store(TLanes.Select(fits, root, zero), ref found, i);
            TLanes.Store(TLanes.Select(fits, TLanes.All(stage.Levels), zero), ref _levels[0], i);
        }

        for (int level = stage.Levels; level > 1; level--)
        {
            ReadDirectories(run, in stage, level, strayed, ref addresses, count, ref found);
        }
    }

    private void ReadDirectories(
        PhysicalRun run, in LaneStage stage, int level, ulong strayed, ref ulong addresses, int count, ref ulong found)
    {
        int shift = THost.IndexShift(level) - 3;
        THost.Usual(level, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | stage.TableMarks);
        TLanes value = TLanes.All(usualValue | stage.TableMarks);
        for (; strayed != 0; strayed &= strayed - 1)
        {
            int i = LaneCount.First<TLanes>(strayed);
            TLanes levels = TLanes.Load(in _levels[0], i);
            uint here = LaneCount.Live<TLanes>(i, count) & TLanes.Equal(levels, TLanes.All((ulong)level));
            if (here == 0)
            {
                continue;
            }

            TLanes table = TLanes.Load(in found, i);
            uint loaded = here;
            TLanes entry = memory.Load64(run, LaneEntries.At(table, TLanes.Load(in addresses, i), shift), ref loaded);
            uint usual = loaded & TLanes.Equal(entry & mask, value);
            TLanes.Store(TLanes.Select(usual, LaneEntries.Below<THost, TLanes>(entry, table), table), ref found, i);
            TLanes.Store(levels - TLanes.Select(usual, TLanes.All(1), TLanes.All(0)), ref _levels[0], i);
            if (usual == here)
            {
                continue;
            }

            TLanes.Store(entry, ref _entries[0], 0);
            for (uint rest = here & ~usual; rest != 0; rest &= rest - 1)
            {
                // An entry that could not be read is 0 here, and not present.
                int lane = BitOperations.TrailingZeroCount(rest);
                ref ulong below = ref Unsafe.Add(ref found, i + lane);
                below = Unusual(in stage, level, _entries[lane], Unsafe.Add(ref addresses, i + lane), below, out _levels[i + lane]);
            }
        }
    }

    private static ulong Unusual(in LaneStage stage, int level, ulong entry, ulong address, ulong table, out ulong next)
    {
        next = 0;
        DecodedEntry decoded = THost.Decode(entry, level);
        if (decoded.Kind == EntryKind.Leaf && (entry & stage.LeafMarks) == stage.LeafMarks)
        {
            return LaneEntries.Part(in decoded, address, table, LaneStage.GranuleMask)
                | ((entry & stage.KeptMarks) == stage.KeptMarks ? 0 : LaneStage.Unkept);
        }

        if (decoded.Kind != EntryKind.Table || (entry & stage.TableMarks) != stage.TableMarks)
        {
            return 0;
        }

        ulong skipped = (1UL << THost.IndexShift(level)) - (1UL << THost.IndexShift(decoded.Next + 1));
        if ((address & skipped) != 0)
        {
            return 0;
        }

        next = decoded.Next;
        return decoded.Address | ((ulong)decoded.Permissions & table & PackedPage.RightsMask);
    }

    /// <summary>Reads entries of level 1; what stands below an address gives way to its page.</summary>
    private void ReadLeaves(PhysicalRun run, in LaneStage stage, ref ulong addresses, int count, ref ulong pages)
    {
        THost.Usual(1, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | stage.LeafMarks);
        TLanes usual = TLanes.All(usualValue | stage.LeafMarks);
        ulong strayed = LaneEntries.ReadLeaves<THost, TLanes>(run, mask, usual, ref addresses, count, ref pages);
        for (; strayed != 0; strayed &= strayed - 1)
        {
            int i = LaneCount.First<TLanes>(strayed);
            uint small = LaneCount.Live<TLanes>(i, count);
            TLanes.Store(TLanes.Load(in pages, i), ref _found[0], 0);
            TLanes entries = LaneEntries.ReadSomeLeaves<THost, TLanes>(memory, run, mask, usual, ref small, ref addresses, ref pages, i);
            TLanes.Store(entries, ref _entries[0], 0);
            for (; small != 0; small &= small - 1)
            {
                // An entry that could not be read is 0 here, and not present.
                int lane = BitOperations.TrailingZeroCount(small);
                Unsafe.Add(ref pages, i + lane) = UnusualLeaf(in stage, _entries[lane], Unsafe.Add(ref addresses, i + lane), _found[lane]);
            }
        }
    }

    private static ulong UnusualLeaf(in LaneStage stage, ulong entry, ulong address, ulong table)
    {
        DecodedEntry decoded = THost.Decode(entry, 1);
        return decoded.Kind == EntryKind.Leaf && (entry & stage.LeafMarks) == stage.LeafMarks
            ? LaneEntries.Part(in decoded, address, table, GuestPhysicalSpace.PageSize - 1)
            : 0;
    }
}
