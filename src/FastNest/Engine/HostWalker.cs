using FastNest.Caches;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>The second stage in one page-table format.</summary>
internal sealed class HostWalker<THost>(GuestPhysicalSpace memory, PageCache pages, WalkCache tables) : HostStage
    where THost : struct, IPageTableFormat
{
    /// <summary>A table that changes under every attempt is its owner's fault: then the last reading stands, unmarked.</summary>
    private const int MaximumAttempts = 16;

    private readonly MarkList _marks = new();

    public override bool TryLocate(in HostSpace space, ulong address, Access need, out WalkLeaf leaf, out WalkFault fault) =>
        TryLocate(in space, address, need, true, out leaf, out fault);

    /// <summary>As <see cref="TryLocate(in HostSpace, ulong, Access, out WalkLeaf, out WalkFault)"/>.</summary>
    /// <param name="space">The second stage.</param>
    /// <param name="address">Its input.</param>
    /// <param name="need">What the page is wanted for.</param>
    /// <param name="dirties">
    /// Whether a write is certain to happen. Else the Dirty bit is left as it is, and writing is withheld where it is not set.
    /// </param>
    /// <param name="leaf">The page, with the tables' rights.</param>
    /// <param name="fault">Why there is none.</param>
    public bool TryLocate(in HostSpace space, ulong address, Access need, bool dirties, out WalkLeaf leaf, out WalkFault fault)
    {
        fault = default;
        if (space.Levels == 0)
        {
            leaf = new(0, 64, StageRights.All);
            return true;
        }

        if (pages.TryGet(space.Tag, address, out CachedPage page) && page.Grants(need))
        {
            leaf = new(page.Output, page.Shift, page.Rights, page.Withheld);
            return true;
        }

        return TryWalk(in space, address, need, dirties, pages, out leaf, out fault);
    }

    /// <summary>Walks the tables for as much of what is asked as they and the context permit.</summary>
    public bool TryOffer(in HostSpace space, ulong address, Access asked, PageCache keep, out WalkLeaf leaf, out WalkFault fault)
    {
        if (!TryWalk(in space, address, asked, keep, out leaf, out fault))
        {
            return false;
        }

        // Nothing was marked if a part of what was asked is not permitted: then once more for the rest.
        Access permitted = asked & leaf.Rights & space.Permissions;
        return permitted == asked || permitted == Access.None || TryWalk(in space, address, permitted, keep, out leaf, out fault);
    }

    /// <summary>Walks the tables, keeping the page in a cache of the caller's choice, or in none.</summary>
    public bool TryWalk(in HostSpace space, ulong address, Access need, PageCache keep, out WalkLeaf leaf, out WalkFault fault) =>
        TryWalk(in space, address, need, true, keep, out leaf, out fault);

    private bool TryWalk(
        in HostSpace space, ulong address, Access need, bool dirties, PageCache keep, out WalkLeaf leaf, out WalkFault fault)
    {
        leaf = default;
        if (!THost.Covers(address, space.Levels))
        {
            fault = new(FaultReason.AddressBeyondTable, TranslationStage.Host, address, need);
            return false;
        }

        for (int attempt = 1; ; attempt++)
        {
            CachedTable start = new(space.Root, space.Root, space.Levels, StageRights.All);
            if (tables.TryGet(space.Tag, address, out CachedTable known))
            {
                start = known;
            }

            _marks.Clear();
            var entries = new PhysicalEntries(memory, tables, space.Marks == MarkPolicy.None ? null : _marks, space.Tag, address, need);
            if (!ScalarWalk<THost>.TryWalk(ref entries, start.Address, start.Level, start.Rights, address, out leaf, out fault))
            {
                return false;
            }

            if (space.Marks == MarkPolicy.None)
            {
                keep.Fill(space.Tag, address, new(leaf.Output, leaf.Shift, leaf.Rights, Access.None));
                return true;
            }

            bool granted = (need & ~(leaf.Rights & space.Permissions)) == 0;
            bool clean = (space.Marks & MarkPolicy.Dirty) != 0 && (entries.Last & THost.Dirty) == 0;
            if (clean && granted && dirties && (need & Access.Write) != 0)
            {
                _marks.Add(entries.LastAddress, 0, entries.Last, THost.Accessed | THost.Dirty);
                clean = false;
            }

            leaf = leaf with { Withheld = clean ? Access.Write : Access.None };
            if (granted && !_marks.TryApply(memory))
            {
                if (attempt < MaximumAttempts)
                {
                    continue;
                }

                leaf = leaf with { Withheld = Access.All };
            }
            else if (granted || _marks.Count == 0)
            {
                keep.Fill(space.Tag, address, new(leaf.Output, leaf.Shift, leaf.Rights, leaf.Withheld));
            }

            return true;
        }
    }

    /// <summary>The host's tables, at their physical addresses.</summary>
    private ref struct PhysicalEntries(
        GuestPhysicalSpace memory, WalkCache tables, MarkList? marks, uint tag, ulong input, Access need) : IEntrySource
    {
        public ulong LastAddress { get; private set; }

        public ulong Last { get; private set; }

        public bool TryRead(ulong address, out ulong entry, out WalkFault fault)
        {
            if (!memory.TryLoad64(address, out entry))
            {
                fault = new(FaultReason.TableUnreadable, TranslationStage.Host, address, need);
                return false;
            }

            (LastAddress, Last) = (address, entry);
            marks?.Add(address, 0, entry, THost.Accessed);
            fault = new(FaultReason.None, TranslationStage.Host, input, need);
            return true;
        }

        public void Passed(int level, ulong table, Access rights)
        {
            // An entry that is still to be marked must be met again, so nothing below it is kept.
            if (marks is null || marks.Count == 0)
            {
                tables.Fill(tag, input, new CachedTable(table, table, (byte)level, rights));
            }
        }
    }
}
