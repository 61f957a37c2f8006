using System.Numerics;

namespace FastNest.Amd.Commands;

/// <summary>The address range of an invalidation command (digest section 6, size encoding).</summary>
internal static class InvalidationRange
{
    /// <summary>A region that reaches this bit is the whole address space: bits above are its sign.</summary>
    private const int EverythingShift = 52;

    /// <summary>
    /// S=0 names one 4 KiB page; with S=1 the lowest zero bit at or above 12 gives the size: a region of 2^(n+1) bytes, aligned
    /// to its size. All ones up to bit 51 name everything.
    /// </summary>
    /// <returns>log2 of the region's size, or 64 for everything.</returns>
    public static int Shift(ulong address, bool sized)
    {
        if (!sized)
        {
            return 12;
        }

        int zero = BitOperations.TrailingZeroCount(~(address | 0xFFF));
        return zero + 1 >= EverythingShift ? 64 : zero + 1;
    }
}
