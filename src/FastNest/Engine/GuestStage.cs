using FastNest.Caches;
using FastNest.Formats;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>
/// A port's first stage over its second: a two-dimensional walk, in which every table address and the final page pass
/// through the host stage. Callers are inside the port's read section.
/// </summary>
internal sealed class GuestStage<TGuest, THost>(GuestPhysicalSpace memory, HostWalker<THost> host, WalkCache tables)
    where TGuest : struct, IGuestFormat
    where THost : struct, IPageTableFormat
{
    private const int MaximumAttempts = 16;

    private readonly MarkList _marks = new();

    /// <summary>Finds the page, through both stages, that holds an address; what it permits is judged here.</summary>
    /// <param name="guest">The first stage.</param>
    /// <param name="space">The second.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="page">The combined page, at the smaller of both sizes, before the context's own permissions.</param>
    /// <param name="fractured">Whether the page is smaller than the first stage maps it.</param>
    /// <param name="fault">Why there is none.</param>
    public bool TryLocate(
        in GuestSpace guest,
        in HostSpace space,
        in TranslationRequest request,
        out CachedPage page,
        out bool fractured,
        out WalkFault fault)
    {
        ulong address = request.Iova;
        Access need = request.Access;
        page = default;
        fractured = false;
        bool fits = guest.SignExtended ? TGuest.IsCanonical(address, guest.Levels) : TGuest.Covers(address, guest.Levels);
        if (!fits)
        {
            fault = new(FaultReason.AddressBeyondTable, TranslationStage.Guest, address, need);
            return false;
        }

        for (int attempt = 1; ; attempt++, need = request.Access)
        {
            // A device that may not read cannot read tables either, wherever another of its domain has come.
            CachedTable start = default;
            if ((space.Permissions & Access.Read) == 0 || !tables.TryGet(guest.Tag, address, out start))
            {
                start = new(guest.Root, NestedEntries.Unknown, guest.Levels, StageRights.All);
            }

            _marks.Clear();
            MarkList? marks = guest.Marks == MarkPolicy.None ? null : _marks;
            var entries = new NestedEntries(memory, host, tables, marks, in guest, in space, in start, address, need);
            if (!ScalarWalk<TGuest>.TryWalk(ref entries, start.Address, start.Level, start.Rights, address, out WalkLeaf leaf, out fault))
            {
                return false;
            }

            Access granted = Granted(in guest, in request, leaf.Rights);
            ulong intermediate = leaf.At(address);
            if (!TryFinal(in space, in request, intermediate, granted, marks is null, ref need, out WalkLeaf final, out fault))
            {
                return false;
            }

            Access withheld = marks is null ? Access.None : NoteDirty(in guest, in entries, need);
            Access offered = granted & final.Rights & space.Permissions & ~((final.Withheld | withheld) & ~need);
            if (request.Kind == RequestKind.Translation && offered == Access.None)
            {
                // Reading 78 keeps back the write that was all there was to offer: reading 76. What is asked for is marked below.
                fault = new(FaultReason.PermissionDenied, TranslationStage.Host, intermediate, request.Access);
                return false;
            }

            if (marks is not null)
            {
                if (!MayMark(in space, out fault))
                {
                    return false;
                }

                if (!TryWriteThrough(in space, intermediate, need, ref final) || !_marks.TryApply(memory))
                {
                    if (attempt < MaximumAttempts)
                    {
                        continue;
                    }

                    withheld = Access.All;
                }
            }

            int shift = Math.Min(leaf.Shift, final.Shift);
            fractured = shift < leaf.Shift;
            ulong output = final.At(intermediate) & ~((1UL << shift) - 1);
            page = new(output, (byte)shift, leaf.Rights & final.Rights, final.Withheld | withheld);
            return true;
        }
    }

    /// <summary>
    /// Takes the guest's page through the second stage and judges permission, the guest's before the host's (reading 31). A
    /// device's translation request is content with a part of what it asked for.
    /// </summary>
    private bool TryFinal(
        in HostSpace space,
        in TranslationRequest request,
        ulong intermediate,
        Access granted,
        bool dirties,
        ref Access need,
        out WalkLeaf final,
        out WalkFault fault)
    {
        bool partial = request.Kind == RequestKind.Translation;
        Access asked = partial ? need & granted : (need & ~granted) == 0 ? need : Access.None;
        if (!host.TryLocate(in space, intermediate, asked, dirties, out final, out fault))
        {
            fault = fault with { Attempted = request.Access };
            return false;
        }

        Access permitted = final.Rights & space.Permissions & Access.All;
        if (partial)
        {
            need = asked & permitted;
            if (need != asked && need != Access.None && !host.TryLocate(in space, intermediate, need, dirties, out final, out fault))
            {
                return false;
            }
        }

        Access offered = granted & permitted;
        if (partial ? (granted & Access.All) == 0 : (need & ~granted) != 0)
        {
            fault = new(FaultReason.PermissionDenied, TranslationStage.Guest, request.Iova, request.Access);
            return false;
        }

        if (partial ? offered == Access.None : (need & ~permitted) != 0)
        {
            fault = new(FaultReason.PermissionDenied, TranslationStage.Host, intermediate, request.Access);
            return false;
        }

        return true;
    }

    /// <summary>What the rights of a page mean for a request: readings 10 and 24.</summary>
    public static Access Granted(in GuestSpace guest, in TranslationRequest request, Access rights)
    {
        if (guest.EnforcesUser && !request.Privileged && (rights & StageRights.User) == 0)
        {
            return Access.None;
        }

        return guest.EnforcesExecute
            ? rights & Access.All
            : (rights & Access.ReadWrite) | ((rights & Access.Read) != 0 ? Access.Execute : Access.None);
    }

    /// <summary>Adds the leaf's Dirty bit to what is to be set on a write; else has the first write come here again.</summary>
    private Access NoteDirty(in GuestSpace guest, in NestedEntries entries, Access need)
    {
        if ((guest.Marks & MarkPolicy.Dirty) == 0 || (entries.Last & TGuest.Dirty) != 0)
        {
            return Access.None;
        }

        if ((need & Access.Write) == 0)
        {
            return Access.Write;
        }

        ulong accessed = (guest.Marks & MarkPolicy.Accessed) != 0 ? TGuest.Accessed : 0;
        _marks.Add(entries.LastPhysical, entries.LastAddress, entries.Last, TGuest.Dirty | accessed);
        return Access.None;
    }

    /// <summary>
    /// Reading 9: an update of a guest table is a write through the second stage. Whether all may be written is known before
    /// any Dirty bit is set, as only a granted write sets one (reading 36).
    /// </summary>
    private bool MayMark(in HostSpace space, out WalkFault fault)
    {
        fault = default;
        for (int i = 0; i < _marks.Count; i++)
        {
            ulong address = _marks.GuestAddress(i);
            if (!host.TryLocate(in space, address, Access.Write, false, out WalkLeaf leaf, out fault))
            {
                return false;
            }

            if ((leaf.Rights & space.Permissions & Access.Write) == 0)
            {
                fault = new(FaultReason.PermissionDenied, TranslationStage.Host, address, Access.Write);
                return false;
            }
        }

        return true;
    }

    /// <summary>Sets the second stage's Dirty bits for the page and for the tables to be marked.</summary>
    /// <returns>False when tables have changed since permission was judged: the walk must be done again.</returns>
    private bool TryWriteThrough(in HostSpace space, ulong intermediate, Access need, ref WalkLeaf final)
    {
        if ((final.Withheld & need) != 0)
        {
            if (!host.TryLocate(in space, intermediate, need, out WalkLeaf written, out _)
                || (need & ~(written.Rights & space.Permissions)) != 0)
            {
                return false;
            }

            final = written;
        }

        for (int i = 0; i < _marks.Count; i++)
        {
            if (!host.TryReach(in space, _marks.GuestAddress(i), Access.Write, out _, out _))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The guest's tables, each reached through the second stage.</summary>
    private ref struct NestedEntries : IEntrySource
    {
        /// <summary>Where a table stands that has not been reached yet.</summary>
        public const ulong Unknown = ulong.MaxValue;

        private const ulong PageMask = 0xFFF;

        private readonly GuestPhysicalSpace _memory;
        private readonly HostWalker<THost> _host;
        private readonly WalkCache _tables;
        private readonly MarkList? _marks;
        private readonly ref readonly GuestSpace _guest;
        private readonly ref readonly HostSpace _space;
        private readonly ulong _input;
        private readonly Access _need;
        private CachedTable _table;
        private bool _isNew;

        public NestedEntries(
            GuestPhysicalSpace memory,
            HostWalker<THost> host,
            WalkCache tables,
            MarkList? marks,
            in GuestSpace guest,
            in HostSpace space,
            in CachedTable start,
            ulong input,
            Access need)
        {
            _memory = memory;
            _host = host;
            _tables = tables;
            _marks = marks;
            _guest = ref guest;
            _space = ref space;
            _table = start;
            _input = input;
            _need = need;
        }

        public ulong Last { get; private set; }

        public ulong LastAddress { get; private set; }

        public ulong LastPhysical { get; private set; }

        public bool TryRead(ulong address, out ulong entry, out WalkFault fault)
        {
            entry = 0;
            if (_table.Physical == Unknown)
            {
                if (!_host.TryReach(in _space, address, Access.Read, out ulong reached, out fault))
                {
                    return false;
                }

                _table = _table with { Physical = reached & ~PageMask };
                if (_isNew)
                {
                    _tables.Fill(_guest.Tag, _input, in _table);
                }
            }

            ulong physical = _table.Physical | (address & PageMask);
            if (!_memory.TryLoad64(physical, out entry))
            {
                fault = new(FaultReason.TableUnreadable, TranslationStage.Guest, physical, _need);
                return false;
            }

            (Last, LastAddress, LastPhysical) = (entry, address, physical);
            if ((_guest.Marks & MarkPolicy.Accessed) != 0)
            {
                _marks!.Add(physical, address, entry, TGuest.Accessed);
            }

            fault = new(FaultReason.None, TranslationStage.Guest, _input, _need);
            return true;
        }

        public void Passed(int level, ulong table, Access rights)
        {
            _table = new(table, Unknown, (byte)level, rights);

            // An entry that is still to be marked must be met again, so nothing below it is kept.
            _isNew = _marks is null || _marks.Count == 0;
        }
    }
}
