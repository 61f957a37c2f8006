using FastNest.Reference.Registers;
using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>Translation through PASID table and guest table, every guest pointer through the host stage (section 4).</summary>
internal sealed class GuestStage(
    IReferenceMemory memory,
    DeviceEntry dte,
    Features features,
    Control control,
    TranslationRequest request,
    HostStage host,
    List<ReferenceStep> steps)
{
    private readonly List<GuestEntry> _entries = [];
    private readonly List<HostResult> _pasidTableWalks = [];
    private Refusal? _refusal;

    /// <summary>Where the walk leads; null with the refusal when it does not get there.</summary>
    public GuestResult? Run(out Refusal? refusal)
    {
        GuestResult? result = Walk();
        refusal = _refusal;
        return result;
    }

    private GuestResult? Walk()
    {
        if (FindGuestRoot() is not ulong root || !IsCanonical() || WalkGuestTable(root) is not GuestPage page)
            return null;

        HostResult? final = host.Walk(page.Gpa, request.Access, nested: true, out _refusal);
        if (final is null)
            return null;

        // Permission is judged when both stages are walked, the guest's first. // readings 19, 30, 31
        Access guest = page.Permissions(request, features);
        if ((request.Access & ~guest) != 0)
            return Refuse(PageFault.Permission, $"the guest table grants {guest}, asked for {request.Access} at 0x{request.Iova:x}");
        _refusal = host.Deny(final, page.Gpa, request.Access);
        if (_refusal is not null)
            return null;

        Marks marks = new(dte, features, control, request);
        foreach (HostResult walk in _pasidTableWalks)
            marks.AddHostWalk(walk, writes: false);
        foreach (GuestEntry entry in _entries)
        {
            ulong missing = marks.MissingGuestBits(entry);
            // The marking is itself a write through the host stage. // reading 9
            _refusal = missing == 0 ? null : host.Deny(entry.Via, entry.Gpa, Access.Write);
            if (_refusal is not null)
                return null;
            marks.AddHostWalk(entry.Via, writes: missing != 0);
            marks.AddGuestBits(entry, missing);
        }

        marks.AddHostWalk(final, writes: Events.IsWrite(request));
        return new(final.Spa, Math.Min(page.Shift, final.Shift), guest & final.Permissions, marks.All);
    }

    // The last PASID table entry holds the guest's CR3. // reading 7
    private ulong? FindGuestRoot()
    {
        int pasidBits = dte.Glx switch { 0 => 9, 1 => 18, _ => 20 };
        if (request.Pasid >> pasidBits != 0)
        {
            Refuse(PageFault.NotPresent, $"PASID 0x{request.Pasid:x} needs more than the {pasidBits} bits of GLX={dte.Glx}");
            return null;
        }

        ulong table = dte.Gcr3Root;
        for (int level = dte.Glx + 1; level >= 1; level--)
        {
            ulong address = table + (request.Pasid >> (9 * (level - 1)) & 0x1FF) * 8;
            string name = $"GCR3 L{level}";
            // The PASID table lies at guest addresses only in this mode.
            TableRead? read = control.Gcr3TrpMode ? ReadThroughHost(name, level, address) : ReadDirectly(name, level, address, null, null);
            if (read is null)
                return null;
            ulong reserved = read.Raw & (Bits.Mask(11, 1) | Bits.Mask(63, 52)); // reading 25
            (PageFault Fault, string? Words) wrong = !Bits.IsSet(read.Raw, 0)
                ? (PageFault.NotPresent, "V=0, not valid")
                : reserved != 0 ? (PageFault.ReservedBit, $"reserved bits 0x{reserved:x} set") : (default, null);
            AddStep(name, level, read, EntryFields.OfGcr3(read.Raw), Access.All, wrong.Words ?? (level > 1 ? $"on to level {level - 1}" : "guest CR3"));
            if (wrong.Words is not null)
            {
                Refuse(wrong.Fault, $"{name} entry at 0x{read.Spa:x}: {wrong.Words}");
                return null;
            }

            if (read.Via is not null)
                _pasidTableWalks.Add(read.Via);
            table = read.Raw & Bits.Mask(51, 12);
        }

        return table;
    }

    // PASID 0 has no sign extension, the others have. // reading 8
    private bool IsCanonical()
    {
        int width = 12 + 9 * Levels;
        ulong above = request.Iova >> width;
        bool sign = Bits.IsSet(request.Iova, width - 1);
        ulong expected = request.Pasid != 0 && sign ? ulong.MaxValue >> width : 0;
        if (above == expected)
            return true;
        Refuse(PageFault.NotPresent, $"address 0x{request.Iova:x} does not fit the {width} bits of PASID {request.Pasid}");
        return false;
    }

    private int Levels => dte.GuestPagingMode == 0 ? 4 : 5;

    private GuestPage? WalkGuestTable(ulong table)
    {
        bool writable = true, user = true, noExecute = false;
        for (int level = Levels; ; level--)
        {
            int shift = 12 + 9 * (level - 1);
            ulong gpa = table + (request.Iova >> shift & 0x1FF) * 8;
            string name = $"guest L{level}";
            TableRead? read = ReadThroughHost(name, level, gpa);
            if (read is null)
                return null;

            bool isLeaf = level == 1 || level <= 3 && Bits.IsSet(read.Raw, 7);
            (PageFault Fault, string? Words) wrong = Judge(read.Raw, level, isLeaf);
            if (wrong.Words is null)
            {
                writable &= Bits.IsSet(read.Raw, 1);
                user &= Bits.IsSet(read.Raw, 2);
                noExecute |= Bits.IsSet(read.Raw, 63);
            }

            ulong next = read.Raw & Bits.Mask(51, 12);
            ulong offset = Bits.Mask(shift - 1, 0);
            GuestPage page = new(next & ~offset | request.Iova & offset, shift, writable, user, noExecute);
            string note = wrong.Words ?? (isLeaf ? $"leaf of 2^{shift} bytes at guest address 0x{next & ~offset:x}" : $"on to level {level - 1}");
            AddStep(name, level, read, EntryFields.OfGuest(read.Raw), page.Permissions(request, features), note);
            if (wrong.Words is not null)
            {
                Refuse(wrong.Fault, $"{name} entry at 0x{read.Spa:x}: {wrong.Words}");
                return null;
            }

            _entries.Add(new(gpa, read.Spa, read.Raw, isLeaf, read.Via!));
            if (isLeaf)
                return page;
            table = next;
        }
    }

    // reading 30
    private static (PageFault Fault, string? Words) Judge(ulong entry, int level, bool isLeaf)
    {
        if (!Bits.IsSet(entry, 0))
            return (PageFault.NotPresent, "P=0, not present");
        ulong reserved = level switch
        {
            >= 4 => Bits.Bit(7),                    // reading 10
            3 when isLeaf => Bits.Mask(29, 13),
            2 when isLeaf => Bits.Mask(20, 13),
            _ => 0,
        };
        return (entry & reserved) != 0
            ? (PageFault.ReservedBit, $"reserved bits 0x{entry & reserved:x} set")
            : (default, null);
    }

    // A table read needs v1 IR; refused, it is a host-stage fault at the entry's address. // readings 9, 32
    private TableRead? ReadThroughHost(string name, int level, ulong gpa)
    {
        HostResult? via = host.Walk(gpa, Access.Read, nested: true, out _refusal);
        if (via is null)
            return null;
        _refusal = host.Deny(via, gpa, Access.Read);
        return _refusal is null ? ReadDirectly(name, level, via.Spa, gpa, via) : null;
    }

    private TableRead? ReadDirectly(string name, int level, ulong spa, ulong? gpa, HostResult? via)
    {
        if (memory.TryRead64(spa, out ulong raw))
            return new(gpa, spa, raw, via);
        steps.Add(new() { Name = name, Stage = ReferenceStage.Guest, Level = level, Gpa = gpa, Spa = spa, Note = "memory does not exist" });
        _refusal = new(
            Events.PageTableHardwareError(request, spa, guest: true, dte.DomainId, Events.IsWrite(request)),
            $"{name} entry at 0x{spa:x}: memory does not exist"); // reading 15
        return null;
    }

    private GuestResult? Refuse(PageFault fault, string words)
    {
        _refusal = new(
            Events.IoPageFault(
                request, request.Iova, fault, guest: true, dte.DomainId, Events.IsWrite(request), Events.IsExecute(request)),
            words); // reading 11
        return null;
    }

    private void AddStep(string name, int level, TableRead read, IReadOnlyList<ReferenceField> fields, Access granted, string note) => steps.Add(new()
    {
        Name = name,
        Stage = ReferenceStage.Guest,
        Level = level,
        Gpa = read.Gpa,
        Spa = read.Spa,
        Raw = [read.Raw],
        Fields = fields,
        Permissions = granted,
        Note = note,
    });

    private sealed record TableRead(ulong? Gpa, ulong Spa, ulong Raw, HostResult? Via);
}
