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
    /// <summary>Reads entries of level 1 for lanes with a table; on return the bits tell which map a page of 4 KiB.</summary>
    /// <param name="memory">Where the tables are.</param>
    /// <param name="run">Its largest run.</param>
    /// <param name="mask">What tells that an entry maps such a page.</param>
    /// <param name="usual">What stands there then.</param>
    /// <param name="addresses">What is translated.</param>
    /// <param name="tables">The tables of level 1, with the rights gathered so far.</param>
    /// <param name="bits">Which lanes have one.</param>
    /// <param name="entries">What was read; 0 where nothing could be.</param>
    /// <returns>The pages: see <see cref="PackedPage"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes ReadLeaves<TFormat, TLanes>(
        GuestPhysicalSpace memory,
        PhysicalRun run,
        TLanes mask,
        TLanes usual,
        TLanes addresses,
        TLanes tables,
        ref uint bits,
        out TLanes entries)
        where TFormat : struct, IPageTableFormat
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes index = (addresses >>> 9) & TLanes.All(LaneStage.IndexMask);
        entries = memory.Load64(run, (tables & TLanes.All(PackedPage.AddressMask)) + index, ref bits);
        bits &= TLanes.Equal(entries & mask, usual);
        return (entries & TLanes.All(TFormat.Address))
            | TLanes.All(PackedPage.Of(0, 12, Access.None))
            | (TFormat.Rights(entries) & tables);
    }

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
