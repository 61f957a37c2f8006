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
        refusal = null;
        Access granted = dte.Permissions;
        if (dte.Mode == 0)
            return new(address, 64, granted, []);

        int level = dte.Mode;
        int coveredBits = HostLeaf.DefaultShift(level + 1);
        if (coveredBits < 64 && address >> coveredBits != 0)
        {
            // reading 1
            refusal = Fault(PageFault.NotPresent, address, access, $"address 0x{address:x} lies beyond the {level} levels of the host table");
            return null;
        }

        List<HostEntry> entries = [];
        ulong table = dte.HostRoot;
        while (true)
        {
            ulong index = address >> HostLeaf.DefaultShift(level) & 0x1FF;
            ulong spa = table + index * 8;
            string name = $"host L{level}";
            if (!memory.TryRead64(spa, out ulong entry))
            {
                AddStep(name, level, nested ? address : null, spa, null, granted, "memory does not exist");
                refusal = new(
                    Events.PageTableHardwareError(request, spa, guest: false, dte.DomainId, Writes(access)),
                    $"{name} entry at 0x{spa:x}: memory does not exist"); // reading 15
                return null;
            }

            int next = (int)Bits.Field(entry, 11, 9);
            bool isLeaf = next is 0 or 7;
            if (Judge(entry, level) is var (fault, words) && words is not null)
            {
                AddStep(name, level, nested ? address : null, spa, entry, granted, words);
                refusal = Fault(fault, address, access, $"{name} entry at 0x{spa:x}: {words}");
                return null;
            }

            granted &= DeviceEntry.Grants(Bits.IsSet(entry, 61), Bits.IsSet(entry, 62));
            entries.Add(new(spa, entry, isLeaf));
            if (isLeaf)
            {
                int shift = next == 0 ? HostLeaf.DefaultShift(level) : HostLeaf.ExplicitShift(entry, level)!.Value;
                ulong offset = Bits.Mask(shift - 1, 0);
                ulong output = entry & Bits.Mask(51, 12) & ~offset | address & offset; // reading 5b
                AddStep(name, level, nested ? address : null, spa, entry, granted, $"leaf of 2^{shift} bytes at 0x{output & ~offset:x}");
                return new(output, shift, granted, entries);
            }

            if (SkippedBits(address, level, next) != 0)
            {
                AddStep(name, level, nested ? address : null, spa, entry, granted, $"skips to level {next} over address bits that are not 0");
                refusal = Fault(PageFault.Encoding, address, access, $"{name} entry at 0x{spa:x}: NextLevel={next} skips address bits that are not 0");
                return null;
            }

            AddStep(name, level, nested ? address : null, spa, entry, granted, $"on to level {next}");
            table = entry & Bits.Mask(51, 12);
            level = next;
        }
    }

    /// <summary>The refusal of an access that a completed walk does not grant.</summary>
    public Refusal? Deny(HostResult result, ulong address, Access access)
    {
        if ((access & ~result.Permissions) == 0)
            return null;
        string where = dte.Mode == 0 ? "the DTE" : "DTE and host table";
        return Fault(PageFault.Permission, address, access, $"{where} together grant {result.Permissions}, asked for {access} at 0x{address:x}");
    }

    // What is wrong with an entry by itself. // reading 20
    private static (PageFault Fault, string? Words) Judge(ulong entry, int level)
    {
        if (!Bits.IsSet(entry, 0))
            return (PageFault.NotPresent, "PR=0, not present");
        int next = (int)Bits.Field(entry, 11, 9);
        bool isLeaf = next is 0 or 7;
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
