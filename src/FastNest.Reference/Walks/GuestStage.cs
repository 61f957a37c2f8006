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
    /// <summary>Where the walk leads; null with the refusal when it does not get there.</summary>
    public GuestResult? Run(out Refusal? refusal)
    {
        List<GuestEntry> entries = [];
        List<HostResult> pasidTableWalks = [];
        GuestStep step = Begin();
        while (step.Next is GuestPoint point)
        {
            ulong address = EntryAddress(point);
            HostResult? via = null;
            if (IsGuestAddress(point))
            {
                via = host.Walk(address, Access.Read, nested: true, out refusal);
                refusal ??= DenyTableRead(via!, address);
                if (refusal is not null)
                    return null;
            }

            ulong spa = via?.Spa ?? address;
            ulong? read = memory.TryRead64(spa, out ulong raw) ? raw : null;
            step = Read(point, spa, read);
            AddStep(point, via is null ? null : address, spa, read, step);
            if (point.InPasidTable && via is not null)
                pasidTableWalks.Add(via);
            if (!point.InPasidTable)
                entries.Add(new(address, spa, raw, step.Page is not null, via!));
        }

        refusal = step.Refusal;
        return refusal is null ? Finish(step.Page!, pasidTableWalks, entries, out refusal) : null;
    }

    // The last PASID table entry holds the guest's CR3. // reading 7
    public GuestStep Begin()
    {
        int pasidBits = dte.Glx switch { 0 => 9, 1 => 18, _ => 20 };
        if (request.Pasid >> pasidBits != 0)
            return Refuse(PageFault.NotPresent, "", $"PASID 0x{request.Pasid:x} needs more than the {pasidBits} bits of GLX={dte.Glx}");
        return new("") { Next = new(InPasidTable: true, dte.Glx + 1, dte.Gcr3Root, Writable: true, User: true, NoExecute: false) };
    }

    /// <summary>Where the entry lies that a walk reads next: a guest or a system address.</summary>
    public ulong EntryAddress(GuestPoint point) => point.Table + 8 * (point.InPasidTable
        ? request.Pasid >> (9 * (point.Level - 1)) & 0x1FFUL
        : request.Iova >> HostLeaf.DefaultShift(point.Level) & 0x1FF);

    /// <summary>The PASID table lies at guest addresses only in one mode, the tables always.</summary>
    public bool IsGuestAddress(GuestPoint point) => !point.InPasidTable || control.Gcr3TrpMode;

    /// <summary>A table read needs v1 IR; refused, it is a host-stage fault at the entry's address. // readings 9, 32</summary>
    public Refusal? DenyTableRead(HostResult via, ulong gpa) => host.Deny(via.Permissions, gpa, Access.Read);

    /// <summary>The marking of an entry is itself a write through the host stage. // reading 9</summary>
    public Refusal? DenyTableWrite(Access via, ulong gpa) => host.Deny(via, gpa, Access.Write);

    /// <summary>What an entry leads to; null where memory does not exist.</summary>
    public GuestStep Read(GuestPoint point, ulong spa, ulong? read)
    {
        if (read is not ulong raw)
        {
            return new("memory does not exist")
            {
                Refusal = new(
                    Events.PageTableHardwareError(request, spa, guest: true, dte.DomainId, Events.IsWrite(request)),
                    $"{point.Name} entry at 0x{spa:x}: memory does not exist"), // reading 15
            };
        }

        return point.InPasidTable ? ReadPasidTable(point, spa, raw) : ReadGuestTable(point, spa, raw);
    }

    /// <summary>
    /// Permission is judged when both stages are walked, the guest's first. // readings 19, 30, 31
    /// </summary>
    public Refusal? JudgePage(GuestPage page, bool lacksDirty, HostResult final, out Access granted, out bool writes)
    {
        Judge judge = new(new(dte, features, control), request);
        Access guest = page.Permissions(request, features);
        granted = judge.Granted(guest & final.Permissions, lacksDirty, final.LacksDirty);
        writes = judge.Writes(granted);
        if (judge.IsAts)
            return judge.RefuseNothing(granted);
        if ((request.Access & ~guest) != 0)
            return Refuse(PageFault.Permission, "", $"the guest table grants {guest}, asked for {request.Access} at 0x{request.Iova:x}").Refusal;
        return host.Deny(final.Permissions, page.Gpa, request.Access);
    }

    private GuestResult? Finish(GuestPage page, List<HostResult> pasidTableWalks, List<GuestEntry> entries, out Refusal? refusal)
    {
        HostResult? final = host.Walk(page.Gpa, request.Access, nested: true, out refusal);
        if (final is null)
            return null;
        refusal = JudgePage(page, (entries[^1].Raw & MarkRules.Dirty) == 0, final, out Access granted, out bool writes);
        if (refusal is not null)
            return null;

        MarkRules rules = new(dte, features, control);
        Marks marks = new(rules);
        foreach (HostResult walk in pasidTableWalks)
            marks.AddHostWalk(walk, writes: false);
        foreach (GuestEntry entry in entries)
        {
            ulong missing = rules.MissingGuestBits(entry.Raw, entry.IsLeaf, writes);
            refusal = missing == 0 ? null : DenyTableWrite(entry.Via.Permissions, entry.Gpa);
            if (refusal is not null)
                return null;
            marks.AddHostWalk(entry.Via, writes: missing != 0);
            marks.AddGuestBits(entry, missing);
        }

        marks.AddHostWalk(final, writes);
        return new(final.Spa, Math.Min(page.Shift, final.Shift), granted, marks.All);
    }

    private GuestStep ReadPasidTable(GuestPoint point, ulong spa, ulong raw)
    {
        if (!Bits.IsSet(raw, 0))
            return Refuse(PageFault.NotPresent, "V=0, not valid", $"{point.Name} entry at 0x{spa:x}: V=0, not valid");
        ulong reserved = raw & (Bits.Mask(11, 1) | Bits.Mask(63, 52)); // reading 25
        if (reserved != 0)
            return Refuse(PageFault.ReservedBit, $"reserved bits 0x{reserved:x} set", $"{point.Name} entry at 0x{spa:x}: reserved bits 0x{reserved:x} set");
        ulong table = raw & Bits.Mask(51, 12);
        if (point.Level > 1)
            return new($"on to level {point.Level - 1}") { Next = point with { Level = point.Level - 1, Table = table } };
        return IsCanonical()
            ? new("guest CR3") { Next = point with { InPasidTable = false, Level = Levels, Table = table } }
            : Refuse(PageFault.NotPresent, "guest CR3", $"address 0x{request.Iova:x} does not fit the {Width} bits of PASID {request.Pasid}");
    }

    // PASID 0 has no sign extension, the others have. // reading 8
    private bool IsCanonical()
    {
        bool sign = Bits.IsSet(request.Iova, Width - 1);
        return request.Iova >> Width == (request.Pasid != 0 && sign ? ulong.MaxValue >> Width : 0);
    }

    private int Levels => dte.GuestPagingMode == 0 ? 4 : 5;

    private int Width => 12 + 9 * Levels;

    private GuestStep ReadGuestTable(GuestPoint point, ulong spa, ulong raw)
    {
        int level = point.Level;
        bool isLeaf = IsLeaf(raw, level);
        if (Judge(raw, level, isLeaf) is var (fault, words) && words is not null)
            return Refuse(fault, words, $"{point.Name} entry at 0x{spa:x}: {words}");
        GuestPoint after = point with
        {
            Level = level - 1,
            Table = raw & Bits.Mask(51, 12),
            Writable = point.Writable && Bits.IsSet(raw, 1),
            User = point.User && Bits.IsSet(raw, 2),
            NoExecute = point.NoExecute || Bits.IsSet(raw, 63),
        };
        if (!isLeaf)
            return new($"on to level {level - 1}") { Next = after };
        int shift = HostLeaf.DefaultShift(level);
        ulong offset = Bits.Mask(shift - 1, 0);
        return new($"leaf of 2^{shift} bytes at guest address 0x{after.Table & ~offset:x}")
        {
            Page = new(after.Table & ~offset | request.Iova & offset, shift, after.Writable, after.User, after.NoExecute),
        };
    }

    /// <summary>Whether an entry ends a walk.</summary>
    public static bool IsLeaf(ulong entry, int level) => level == 1 || level <= 3 && Bits.IsSet(entry, 7);

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

    // reading 11
    private GuestStep Refuse(PageFault fault, string note, string words) => new(note)
    {
        Refusal = new(
            Events.IoPageFault(
                request, request.Iova, fault, guest: true, dte.DomainId, Events.IsWrite(request), Events.IsExecute(request)),
            words),
    };

    private void AddStep(GuestPoint point, ulong? gpa, ulong spa, ulong? read, GuestStep step) => steps.Add(new()
    {
        Name = point.Name,
        Stage = ReferenceStage.Guest,
        Level = point.Level,
        Gpa = gpa,
        Spa = spa,
        Raw = read is ulong raw ? [raw] : [],
        Fields = read is not ulong value ? [] : point.InPasidTable ? EntryFields.OfGcr3(value) : EntryFields.OfGuest(value),
        Permissions = read is null ? Access.None : step.Rights(point).Permissions(request, features),
        Note = step.Note,
    });
}
