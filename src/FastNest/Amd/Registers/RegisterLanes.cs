namespace FastNest.Amd.Registers;

/// <summary>Accesses to a part of a 64-bit register: 1, 2, 4 or 8 aligned bytes (reading 53).</summary>
internal static class RegisterLanes
{
    public static bool IsAccess(ulong offset, int size, ulong limit) =>
        size is 1 or 2 or 4 or 8 && offset < limit && offset % (ulong)size == 0;

    /// <summary>The bits of the register that an access touches.</summary>
    public static ulong Mask(ulong offset, int size) =>
        size == sizeof(ulong) ? ulong.MaxValue : ((1UL << (size * 8)) - 1) << Shift(offset);

    /// <summary>What is written, in its place in the register.</summary>
    public static ulong Place(ulong value, ulong offset, int size) => (value << Shift(offset)) & Mask(offset, size);

    /// <summary>What is read of the register.</summary>
    public static ulong Extract(ulong register, ulong offset, int size) => (register & Mask(offset, size)) >> Shift(offset);

    private static int Shift(ulong offset) => (int)(offset % sizeof(ulong)) * 8;
}
