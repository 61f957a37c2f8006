using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace FastNest.Lanes;

/// <summary>
/// Finds out, once per process and in some tens of microseconds, whether four single loads are faster here than a gather of
/// four: so they are on some processors, and on others since their microcode was mended.
/// </summary>
internal static class GatherSpeed
{
    private const int Words = 2048;
    private const int Rounds = 9;

    /// <summary>Whether single loads win. It changes no result.</summary>
    public static readonly bool IsSlow = Avx2Lanes.IsSupported && Measure();

    private static bool Measure()
    {
        ulong[] memory = GC.AllocateArray<ulong>(2 * Words, pinned: true);
        var start = (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        for (int i = 0; i < Words; i++)
        {
            memory[i] = start + (ulong)(i * 1021 % Words * sizeof(ulong));
        }

        long gathers = long.MaxValue;
        long loads = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long begun = Stopwatch.GetTimestamp();
            Gather(memory);
            long between = Stopwatch.GetTimestamp();
            Load(memory);
            loads = Math.Min(loads, Stopwatch.GetTimestamp() - between);
            gathers = Math.Min(gathers, between - begun);
        }

        return loads < gathers;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Gather(ulong[] memory)
    {
        for (int i = 0; i < Words; i += 4)
        {
            Vector256<ulong> loaded = Avx2Lanes.Gather(Vector256.LoadUnsafe(in memory[i]), Vector256<ulong>.AllBitsSet);
            loaded.StoreUnsafe(ref memory[Words], (nuint)i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Load(ulong[] memory)
    {
        for (int i = 0; i < Words; i += 4)
        {
            Avx2Lanes.LoadEach(Vector256.LoadUnsafe(in memory[i])).StoreUnsafe(ref memory[Words], (nuint)i);
        }
    }
}
