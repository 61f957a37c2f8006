using FastNest.Reference.Rings;

namespace FastNest.Reference.History;

/// <summary>An invalidation command (section 6), or a COMPLETION_WAIT.</summary>
/// <param name="Time">When it was submitted.</param>
/// <param name="Low">The first quadword.</param>
/// <param name="High">The second quadword.</param>
internal sealed record Invalidation(int Time, ulong Low, ulong High)
{
    private const int Everything = 64;
    private readonly int _bits = RegionBits(High);

    public bool IsWait => CommandRules.Opcode(Low) == CommandRules.CompletionWait;

    public bool CoversAll => CommandRules.Opcode(Low) == CommandRules.InvalidateAll;

    public bool CoversDevice(uint device) =>
        CoversAll || CommandRules.Opcode(Low) == CommandRules.InvalidateDeviceTableEntry && (ushort)Low == device;

    /// <summary>Entries of v1 tables; those that lead on to another table need PDE.</summary>
    public bool CoversHost(ushort domain, ulong address, bool directory) =>
        CoversAll || IsPages(domain) && !IsGuest && (Pde || !directory) && IsInRegion(address);

    /// <summary>Entries of guest tables: by their own address, or any command for the host side of the domain.</summary>
    public bool CoversGuest(ushort domain, uint pasid, ulong address, bool directory) =>
        CoversAll || IsPages(domain) && (Pde || !directory) && (!IsGuest || Pasid == pasid && IsInRegion(address));

    /// <summary>Entries of the PASID table: by a command for everything of the PASID, or any for the host side.</summary>
    public bool CoversPasidTable(ushort domain, uint pasid) =>
        CoversAll || IsPages(domain) && (!IsGuest || Pasid == pasid && _bits == Everything);

    private uint Pasid => (uint)Bits.Field(Low, 19, 0);

    private bool Pde => Bits.IsSet(High, 1);

    private bool IsGuest => Bits.IsSet(High, 2);

    private bool IsPages(ushort domain) =>
        CommandRules.Opcode(Low) == CommandRules.InvalidatePages && (ushort)Bits.Field(Low, 47, 32) == domain;

    private bool IsInRegion(ulong address) => _bits == Everything || (address ^ High) >> _bits == 0;

    // S=1: the lowest clear bit at or above 12 is the upper bit of the offset; from 51 on it means everything.
    private static int RegionBits(ulong high)
    {
        if (!Bits.IsSet(high, 0))
            return 12;
        int clear = 12;
        while (clear < 51 && Bits.IsSet(high, clear))
            clear++;
        return clear < 51 ? clear + 1 : Everything;
    }
}
