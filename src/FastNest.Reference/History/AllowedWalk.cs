using FastNest.Reference.Registers;
using FastNest.Reference.Walks;
using FastNest.Requests;

namespace FastNest.Reference.History;

/// <summary>
/// The reference's walk taken over sets: each read gives every value that the entry may be seen with, and places of the
/// walk that the rest cannot tell apart are followed once.
/// </summary>
internal sealed class AllowedWalk
{
    private readonly Timeline _time;
    private readonly DeviceEntry _dte;
    private readonly TranslationRequest _request;
    private readonly Control _control;
    private readonly Translation _translation;
    private readonly HostStage _host;
    private readonly GuestStage _guest;
    private readonly MarkRules _rules;
    private readonly Dictionary<(ulong, Access), HostEnds> _hostEnds = [];
    private readonly HashSet<ReferenceAllowedAnswer> _answers;

    public AllowedWalk(
        Timeline time, IReferenceMemory memory, DeviceEntry dte, RegisterFile registers, Translation translation, TranslationRequest request, HashSet<ReferenceAllowedAnswer> answers)
    {
        _time = time;
        _dte = dte;
        _request = request;
        _control = registers.Control;
        _translation = translation;
        _host = new(memory, dte, request, []);
        _guest = new(memory, dte, registers.Features, _control, request, _host, []);
        _rules = new(dte, registers.Features, _control);
        _answers = answers;
    }

    public void ThroughHost()
    {
        HostEnds ends = Host(_request.Iova, _request.Access);
        ends.Refusals.ForEach(Refuse);
        foreach (HostResult end in ends.Results)
        {
            if (_translation.JudgeHost(end, _host, _rules, out Access granted, out _) is Refusal refusal)
                Refuse(refusal);
            else
                Grant(end.Spa, end.Shift, granted);
        }
    }

    public void ThroughGuest()
    {
        GuestStep begin = _guest.Begin();
        if (begin.Refusal is not null)
            Refuse(begin.Refusal);
        HashSet<GuestState> seen = [];
        Queue<GuestState> open = new();
        HashSet<GuestEnd> ends = [];
        if (begin.Next is GuestPoint first)
            open.Enqueue(new(first, null));
        while (open.TryDequeue(out GuestState state))
        {
            if (seen.Add(state))
                ReadGuestEntry(state, open, ends);
        }

        foreach (GuestEnd end in ends)
            Finish(end);
    }

    private void ReadGuestEntry(GuestState state, Queue<GuestState> open, HashSet<GuestEnd> ends)
    {
        ulong address = _guest.EntryAddress(state.Point);
        if (!_guest.IsGuestAddress(state.Point))
        {
            ReadGuestEntry(state, address, address, open, ends);
            return;
        }

        HostEnds vias = Host(address, Access.Read);
        vias.Refusals.ForEach(Refuse);
        foreach (HostResult via in vias.Results)
        {
            if (_guest.DenyTableRead(via, address) is Refusal denied)
                Refuse(denied);
            else
                ReadGuestEntry(state, address, via.Spa, open, ends);
        }
    }

    private void ReadGuestEntry(GuestState state, ulong address, ulong spa, Queue<GuestState> open, HashSet<GuestEnd> ends)
    {
        GuestPoint point = state.Point;
        IEnumerable<ulong?> values = point.InPasidTable
            ? _time.PasidTable(spa, _dte.DomainId, _request.Pasid)
            : _time.Guest(spa, _dte.DomainId, _request.Pasid, _request.Iova, point.Level);
        foreach (ulong? value in values)
        {
            GuestStep step = _guest.Read(point, spa, value);
            if (step.Refusal is not null)
                Refuse(step.Refusal);
            if (step.Next is GuestPoint next)
            {
                bool mark = !point.InPasidTable && _rules.MissingGuestBits(value!.Value, isLeaf: false, writes: false) != 0;
                open.Enqueue(new(next, mark ? new(address, state.Marks) : state.Marks));
            }

            if (step.Page is not null)
                ends.Add(new(step.Page, state.Marks, value!.Value & (MarkRules.Accessed | MarkRules.Dirty), address));
        }
    }

    private void Finish(GuestEnd end)
    {
        HostEnds finals = Host(end.Page.Gpa, _request.Access);
        finals.Refusals.ForEach(Refuse);
        foreach (HostResult final in finals.Results)
        {
            if (_guest.JudgePage(end.Page, (end.LeafMarks & MarkRules.Dirty) == 0, final, out Access granted, out bool writes) is Refusal refusal)
            {
                Refuse(refusal);
                continue;
            }

            bool marksLeaf = _rules.MissingGuestBits(end.LeafMarks, isLeaf: true, writes) != 0;
            if (MayMark(marksLeaf ? new(end.LeafGpa, end.Marks) : end.Marks))
                Grant(final.Spa, Math.Min(end.Page.Shift, final.Shift), granted);
        }
    }

    // A mark is a write of its own through the host stage, which may meet other values there than the read did. // reading 9
    private bool MayMark(MarkedEntry? entries)
    {
        if (entries is null)
            return true;
        if (!MayMark(entries.Before))
            return false;
        HostEnds ends = Host(entries.Address, Access.Write);
        ends.Refusals.ForEach(Refuse);
        bool may = false;
        foreach (HostResult end in ends.Results)
        {
            if (_guest.DenyTableWrite(end.Permissions, entries.Address) is Refusal denied)
                Refuse(denied);
            else
                may = true;
        }

        return may;
    }

    // Every end that a host walk may have.
    private HostEnds Host(ulong address, Access access)
    {
        if (_hostEnds.TryGetValue((address, access), out HostEnds? ends))
            return ends;
        ends = new([], []);
        HashSet<HostPoint> seen = [];
        Queue<HostStep> open = new([_host.Begin(address, access)]);
        while (open.TryDequeue(out HostStep? step))
        {
            if (step.Refusal is not null)
                ends.Refusals.Add(step.Refusal);
            if (step.End is not null && !ends.Results.Contains(step.End))
                ends.Results.Add(step.End);
            if (step.Next is HostPoint point && seen.Add(point))
            {
                foreach (ulong? value in _time.Host(HostStage.EntryAddress(point, address), _dte.DomainId, address))
                    open.Enqueue(_host.Read(point, address, access, value));
            }
        }

        _hostEnds.Add((address, access), ends);
        return ends;
    }

    private void Refuse(Refusal refusal) =>
        _answers.Add(new(null, 0, Access.None, IsMessage: false, Translation.EventOf(refusal, _request)));

    private void Grant(ulong output, int shift, Access granted) => _answers.Add(new(output, shift, granted, IsMessage: false, null));

    private sealed record HostEnds(List<HostResult> Results, List<Refusal> Refusals);

    private readonly record struct GuestState(GuestPoint Point, MarkedEntry? Marks);

    private sealed record GuestEnd(GuestPage Page, MarkedEntry? Marks, ulong LeafMarks, ulong LeafGpa);

    // An entry that has to be marked, and those above it that have to be.
    private sealed record MarkedEntry(ulong Address, MarkedEntry? Before);
}
