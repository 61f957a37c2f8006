using FastNest.Requests;

namespace FastNest.Reference.Walks;

/// <summary>The v1 table walk of one device (section 3).</summary>
internal sealed class HostStage(IReferenceMemory memory, DeviceEntry dte, TranslationRequest request, List<ReferenceStep> steps)
{
    private static readonly ulong LeafReserved = Bits.Mask(58, 52);
    private static readonly ulong DirectoryReserved = Bits.Mask(60, 52);

    /// <summary>
    /// Walks to the end. Permissions are left to the caller: the walk is completed first. // reading 19
    /// </summary>
    /// <param name="address">The device address, or a guest physical address in a nested walk.</param>
    /// <param name="access">The access that a fault's flags tell of. // reading 32</param>
    /// <param name="nested">Whether the address is a guest physical one.</param>
    /// <param name="refusal">Why the walk could not be completed.</param>
    public HostResult? Walk(ulong address, Access access, bool nested, out Refusal? refusal)
    {
        List<HostEntry> entries = [];
        HostStep step = Begin(address, access);
        while (step.Next is HostPoint point)
        {
            ulong spa = EntryAddress(point, address);
            ulong? entry = memory.TryRead64(spa, out ulong value) ? value : null;
            step = Read(point, address, access, entry);
            AddStep($"host L{point.Level}", point.Level, nested ? address : null, spa, entry, step.Granted, step.Note);
            entries.Add(new(spa, value, IsLeaf(value)));
        }

        refusal = step.Refusal;
        return step.End is null ? null : step.End with { Entries = entries };
    }

    /// <summary>Where a walk begins; without a table it ends there.</summary>
    public HostStep Begin(ulong address, Access access)
    {
        Access granted = dte.Permissions;
        if (dte.Mode == 0)
            return new("", granted) { End = new(address, 64, granted, LacksDirty: false, []) };
        int coveredBits = HostLeaf.DefaultShift(dte.Mode + 1);
        if (coveredBits < 64 && address >> coveredBits != 0)
        {
            // reading 1
            return new("", granted)
            {
                Refusal = Fault(PageFault.NotPresent, address, access, $"address 0x{address:x} lies beyond the {dte.Mode} levels of the host table"),
            };
        }

        return new("", granted) { Next = new(dte.Mode, dte.HostRoot, granted) };
    }

    /// <summary>Where the entry lies that a walk reads next.</summary>
    public static ulong EntryAddress(HostPoint point, ulong address) =>
        point.Table + (address >> HostLeaf.DefaultShift(point.Level) & 0x1FF) * 8;

    /// <summary>What an entry leads to; null where memory does not exist.</summary>
    public HostStep Read(HostPoint point, ulong address, Access access, ulong? read)
    {
        int level = point.Level;
        ulong spa = EntryAddress(point, address);
        string name = $"host L{level}";
        if (read is not ulong entry)
        {
            return new("memory does not exist", point.Granted)
            {
                Refusal = new(
                    Events.PageTableHardwareError(request, spa, guest: false, dte.DomainId, Writes(access)),
                    $"{name} entry at 0x{spa:x}: memory does not exist"), // reading 15
            };
        }

        if (Judge(entry, level) is var (fault, words) && words is not null)
            return new(words, point.Granted) { Refusal = Fault(fault, address, access, $"{name} entry at 0x{spa:x}: {words}") };

        int next = NextLevel(entry);
        Access granted = point.Granted & DeviceEntry.Grants(Bits.IsSet(entry, 61), Bits.IsSet(entry, 62));
        if (IsLeaf(entry))
        {
            int shift = next == 0 ? HostLeaf.DefaultShift(level) : HostLeaf.ExplicitShift(entry, level)!.Value;
            ulong offset = Bits.Mask(shift - 1, 0);
            ulong output = entry & Bits.Mask(51, 12) & ~offset | address & offset; // reading 5b
            return new($"leaf of 2^{shift} bytes at 0x{output & ~offset:x}", granted)
            {
                End = new(output, shift, granted, LacksDirty: !Bits.IsSet(entry, 6), []),
            };
        }

        if (SkippedBits(address, level, next) != 0)
        {
            return new($"skips to level {next} over address bits that are not 0", granted)
            {
                Refusal = Fault(PageFault.Encoding, address, access, $"{name} entry at 0x{spa:x}: NextLevel={next} skips address bits that are not 0"),
            };
        }

        return new($"on to level {next}", granted) { Next = new(next, entry & Bits.Mask(51, 12), granted) };
    }

    /// <summary>Whether an entry ends a walk: NextLevel 0 or 7.</summary>
    public static bool IsLeaf(ulong entry) => NextLevel(entry) is 0 or 7;

    /// <summary>The refusal of an access that a completed walk does not grant.</summary>
    public Refusal? Deny(Access granted, ulong address, Access access)
    {
        if ((access & ~granted) == 0)
            return null;
        string where = dte.Mode == 0 ? "the DTE" : "DTE and host table";
        return Fault(PageFault.Permission, address, access, $"{where} together grant {granted}, asked for {access} at 0x{address:x}");
    }

    // What is wrong with an entry by itself. // reading 20
    private static (PageFault Fault, string? Words) Judge(ulong entry, int level)
    {
        if (!Bits.IsSet(entry, 0))
            return (PageFault.NotPresent, "PR=0, not present");
        int next = NextLevel(entry);
        bool isLeaf = IsLeaf(entry);
        ulong reserved = entry & (isLeaf ? LeafReserved : DirectoryReserved);
        if (reserved != 0)
            return (PageFault.ReservedBit, $"reserved bits 0x{reserved:x} set");
        if (!isLeaf && next >= level)
            return (PageFault.Encoding, $"NextLevel={next} is not below level {level}");
        if (isLeaf && level == 6)
            return (PageFault.Encoding, "a leaf at level 6"); // reading 6
        if (next == 7 && HostLeaf.ExplicitShift(entry, level) is null)
            return (PageFault.Encoding, $"page size illegal at level {level}");
        return (default, null);
    }

    private static int NextLevel(ulong entry) => (int)Bits.Field(entry, 11, 9);

    private static ulong SkippedBits(ulong address, int level, int next) => next == level - 1
        ? 0
        : address & Bits.Mask(HostLeaf.DefaultShift(level) - 1, HostLeaf.DefaultShift(next + 1));

    private static bool Writes(Access access) => (access & Access.Write) != 0;

    // GN=0 and the GPA in a nested walk. // reading 11
    private Refusal Fault(PageFault fault, ulong address, Access access, string words) => new(
        Events.IoPageFault(request, address, fault, guest: false, dte.DomainId, Writes(access), (access & Access.Execute) != 0), words);

    private void AddStep(string name, int level, ulong? gpa, ulong spa, ulong? entry, Access granted, string note) => steps.Add(new()
    {
        Name = name,
        Stage = ReferenceStage.Host,
        Level = level,
        Gpa = gpa,
        Spa = spa,
        Raw = entry is ulong raw ? [raw] : [],
        Fields = entry is ulong value ? EntryFields.OfHost(value) : [],
        Permissions = granted,
        Note = note,
    });
}
