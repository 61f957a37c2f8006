using System.Numerics;

namespace FastNest.Reference.Walks;

/// <summary>The page sizes of v1 leaves (section 3).</summary>
internal static class HostLeaf
{
    /// <summary>log2 of the default page size of a level: 12, 21, 30, 39, 48, and 57 for the bound above level 5.</summary>
    public static int DefaultShift(int level) => 12 + 9 * (level - 1);

    /// <summary>log2 of the page size that a leaf with NextLevel=7 gives at a level; null when it is illegal there. // reading 5</summary>
    public static int? ExplicitShift(ulong entry, int level)
    {
        ulong field = Bits.Field(entry, 51, 12);
        int ones = BitOperations.TrailingZeroCount(~field);
        int shift = 12 + ones + 1; // no trailing one at all stands for 8 KiB
        return shift > DefaultShift(level) && shift < DefaultShift(level + 1) && shift <= 52 ? shift : null;
    }
}
