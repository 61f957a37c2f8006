namespace FastNest.Reference;

/// <summary>Bit fields, named by their high and low bit as the specification writes them.</summary>
internal static class Bits
{
    public static bool IsSet(ulong value, int bit) => (value >> bit & 1) != 0;

    public static ulong Field(ulong value, int high, int low) => (value & Mask(high, low)) >> low;

    public static ulong Mask(int high, int low) => ulong.MaxValue >> (63 - high) & ulong.MaxValue << low;

    public static ulong Bit(int bit) => 1UL << bit;

    public static ulong Put(bool value, int bit) => value ? 1UL << bit : 0;
}
