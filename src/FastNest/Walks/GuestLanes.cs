using System.Numerics;
using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>
/// Walks first-stage tables for many addresses side by side, each table reached through the second stage: see
/// <see cref="HostLanes{THost, TLanes}"/>.
/// </summary>
internal sealed class GuestLanes<TGuest, THost, TLanes>(
    GuestPhysicalSpace memory, HostLanes<THost, TLanes> host, DirectCache tables)
    where TGuest : struct, IPageTableFormat
    where THost : struct, IPageTableFormat
    where TLanes : struct, ILanes<TLanes>
{
    private readonly ulong[] _iovas = new ulong[LaneCount.Stride];
    private readonly ulong[] _tags = new ulong[LaneCount.Stride];
    private readonly ulong[] _roots = new ulong[LaneCount.Stride];
    private readonly ulong[] _hostTags = new ulong[LaneCount.Stride];
    private readonly ulong[] _hostRoots = new ulong[LaneCount.Stride];
    private readonly ulong[] _places = new ulong[LaneCount.Stride];
    private readonly ulong[] _found = new ulong[LaneCount.Stride];
    private readonly ulong[] _levels = new ulong[LaneCount.Stride];
    private readonly ulong[] _reached = new ulong[LaneCount.Stride];
    private readonly ulong[] _entryAddresses = new ulong[LaneCount.Stride];
    private readonly ulong[] _entries = new ulong[8];

    /// <summary>Finds pages of the first stage, 4 KiB of them each; 0 where there is none.</summary>
    /// <param name="run">The largest run of memory.</param>
    /// <param name="guest">What all first stages have in common.</param>
    /// <param name="second">What all second stages have in common, for reading tables.</param>
    /// <param name="columns">The requests.</param>
    /// <param name="pages">Receives guest physical pages, with the tables' rights.</param>
    public void Locate(PhysicalRun run, in LaneStage guest, in LaneStage second, in LaneColumns columns, ref ulong pages)
    {
        int missing = Probe(run, in columns, ref pages);
        if (missing != 0)
        {
            Descend(run, in guest, in second, missing);
            LaneEntries.PutBack(_found.AsSpan(0, missing), _places, ref pages);
        }

        TGuest.Usual(1, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | guest.LeafMarks);
        TLanes usual = TLanes.All(usualValue | guest.LeafMarks);
        ulong strayed = LaneEntries.ReadLeaves<TGuest, TLanes>(run, mask, usual, ref columns.Iovas, columns.Count, ref pages);
        for (; strayed != 0; strayed &= strayed - 1)
        {
            int i = LaneCount.First<TLanes>(strayed);
            uint live = LaneCount.Live<TLanes>(i, columns.Count);
            LaneEntries.ReadSomeLeaves<TGuest, TLanes>(memory, run, mask, usual, ref live, ref columns.Iovas, ref pages, i);
        }
    }

    /// <summary>Finds the tables that are known, and has their entries brought near; the others are set out to be looked for.</summary>
    private int Probe(PhysicalRun run, in LaneColumns columns, ref ulong found)
    {
        int missing = 0;
        bool probes = tables.IsFilled;
        for (int i = 0; i < columns.Count; i += TLanes.Count)
        {
            TLanes iova = TLanes.Load(in columns.Iovas, i);
            uint miss = LaneCount.Live<TLanes>(i, columns.Count);
            if (probes)
            {
                miss &= ~LaneEntries.Probe(run, tables, TLanes.Load(in columns.Tags, i), iova, ref found, i);
                if (miss == 0)
                {
                    continue;
                }
            }

            TLanes.Compress(iova, miss, ref _iovas[0], missing);
            TLanes.Compress(TLanes.Load(in columns.Tags, i), miss, ref _tags[0], missing);
            TLanes.Compress(TLanes.Load(in columns.Roots, i), miss, ref _roots[0], missing);
            TLanes.Compress(TLanes.Load(in columns.HostTags, i), miss, ref _hostTags[0], missing);
            TLanes.Compress(TLanes.Load(in columns.HostRoots, i), miss, ref _hostRoots[0], missing);
            TLanes.Compress(TLanes.Load(in LaneCount.Numbers[0], i), miss, ref _places[0], missing);
            missing += BitOperations.PopCount(miss);
        }

        tables.Counters.Hits += columns.Count - missing;
        tables.Counters.Misses += missing;
        return missing;
    }

    private void Descend(PhysicalRun run, in LaneStage guest, in LaneStage second, int count)
    {
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TLanes.Store(TLanes.Load(in _roots[0], i) | TLanes.All((ulong)StageRights.All), ref _found[0], i);
            TLanes.Store(TLanes.All(guest.Levels), ref _levels[0], i);
        }

        for (int level = guest.Levels; level > 1; level--)
        {
            ReadDirectories(run, in guest, in second, level, count);
        }

        // The tables of level 1 that were found: where they stand in memory.
        host.Locate(run, in second, ref _found[0], ref _hostTags[0], ref _hostRoots[0], count, ref _reached[0]);
        for (int i = 0; i < count; i++)
        {
            if (_levels[i] == 1)
            {
                ulong reached = _reached[i];
                _found[i] = (reached & (ulong)Access.Read) != 0
                    ? (reached & PackedPage.AddressMask) | (_found[i] & PackedPage.RightsMask)
                    : 0;
            }

            if (_found[i] != 0 && tables.IsOn)
            {
                tables.Keep(_tags[i], _iovas[i], LaneEntries.Mark(run, _found[i]));
            }
        }
    }

    private void ReadDirectories(PhysicalRun run, in LaneStage guest, in LaneStage second, int level, int count)
    {
        int shift = TGuest.IndexShift(level) - 3;
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TLanes.Store(LaneEntries.At(TLanes.Load(in _found[0], i), TLanes.Load(in _iovas[0], i), shift), ref _entryAddresses[0], i);
        }

        host.Locate(run, in second, ref _entryAddresses[0], ref _hostTags[0], ref _hostRoots[0], count, ref _reached[0]);
        TGuest.Usual(level, out ulong usualMask, out ulong usualValue);
        TLanes mask = TLanes.All(usualMask | guest.TableMarks);
        TLanes value = TLanes.All(usualValue | guest.TableMarks);
        TLanes read = TLanes.All((ulong)Access.Read);
        for (int i = 0; i < count; i += TLanes.Count)
        {
            TLanes levels = TLanes.Load(in _levels[0], i);
            uint here = LaneCount.Live<TLanes>(i, count) & TLanes.Equal(levels, TLanes.All((ulong)level));
            TLanes reached = TLanes.Load(in _reached[0], i);
            TLanes table = TLanes.Load(in _found[0], i);
            uint loaded = here & TLanes.Equal(reached & read, read);
            TLanes at = (reached & TLanes.All(PackedPage.AddressMask)) + (TLanes.Load(in _entryAddresses[0], i) & TLanes.All(0xFFF));
            TLanes entry = memory.Load64(run, at, ref loaded);
            uint usual = loaded & TLanes.Equal(entry & mask, value);
            TLanes.Store(TLanes.Select(usual, LaneEntries.Below<TGuest, TLanes>(entry, table), table), ref _found[0], i);
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
                _found[i + lane] = Large(in guest, level, _entries[lane], _iovas[i + lane], _found[i + lane]);
                _levels[i + lane] = 0;
            }
        }
    }

    /// <summary>What an entry that is no table maps; 0 if nothing, or if it leads past the next level.</summary>
    private static ulong Large(in LaneStage guest, int level, ulong entry, ulong iova, ulong table)
    {
        DecodedEntry decoded = TGuest.Decode(entry, level);
        return decoded.Kind == EntryKind.Leaf && (entry & guest.LeafMarks) == guest.LeafMarks
            ? LaneEntries.Part(in decoded, iova, table, LaneStage.GranuleMask)
            : 0;
    }
}
