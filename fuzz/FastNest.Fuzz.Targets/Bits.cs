namespace FastNest.Fuzz.Targets;

/// <summary>Structures in guest memory, bit by bit from the digest (sections 2, 3 and 6).</summary>
internal static class Bits
{
    public const ulong V = 1;
    public const ulong TV = 2;
    public const ulong IR = 1UL << 61;
    public const ulong IW = 1UL << 62;
    public const ulong PR = 1;

    /// <summary>DTE quadword 1.</summary>
    public const ulong SE = 1UL << 33;
    public const ulong SA = 1UL << 34;
    public const ulong EX = 1UL << 39;

    /// <summary>DTE quadword 2.</summary>
    public const ulong IV = 1;

    /// <summary>GV and the lower part of a PASID table's address, for the first quadword of a device table entry.</summary>
    public static ulong GuestLow(ulong gcr3) => 1UL << 55 | (gcr3 >> 12 & 7) << 58;

    /// <summary>The part of a PASID table's address below 2 GiB that stands in the second quadword.</summary>
    public static ulong GuestMiddle(ulong gcr3) => (gcr3 >> 15 & 0xFFFF) << 16;

    public static ulong DteLow(ulong root, int mode, ulong rights = IR | IW) => V | TV | (ulong)mode << 9 | root | rights;

    public static ulong Pde(ulong table, int next, ulong rights = IR | IW) => PR | (ulong)next << 9 | table | rights;

    /// <summary>A leaf of its level's own size.</summary>
    public static ulong Pte(ulong page, ulong rights = IR | IW) => PR | page | rights;

    /// <summary>A leaf of any power of two (NextLevel 7): ones from bit 12 to below the bit of half the size, that bit zero.</summary>
    public static ulong SizedPte(ulong page, int shift, ulong rights = IR | IW)
    {
        ulong half = 1UL << (shift - 1);
        return PR | 7UL << 9 | (page & ~((1UL << shift) - 1)) | ((half - 1) & ~0xFFFUL) | rights;
    }

    /// <summary>Where the entry of an address stands in a table.</summary>
    public static ulong Slot(ulong table, int level, ulong address) => table + ((address >> LevelShift(level)) & 511) * 8;

    /// <summary>The level's default page size as log2.</summary>
    public static int LevelShift(int level) => 12 + 9 * (level - 1);

    public static (ulong, ulong) Command(int opcode, ulong low = 0, ulong high = 0) => ((ulong)opcode << 60 | low, high);

    public static (ulong, ulong) StoreWait(ulong address, ulong data) => Command(1, 1 | address, data);

    public static (ulong, ulong) InvalidateDevice(uint device) => Command(2, device);

    public static (ulong, ulong) InvalidatePages(ushort domain, ulong address, bool sized) =>
        Command(3, (ulong)domain << 32, (address & ~0xFFFUL) | 2 | (sized ? 1UL : 0));

    public static (ulong, ulong) InvalidateAll() => Command(8);
}
