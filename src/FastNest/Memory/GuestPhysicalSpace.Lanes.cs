using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Lanes;

namespace FastNest.Memory;

/// <content>Loads of several table entries at once.</content>
public sealed partial class GuestPhysicalSpace
{
    /// <summary>Loads eight bytes per lane, each in one atomic access; for callers inside a read section.</summary>
    /// <param name="run">The largest run, taken in the same section.</param>
    /// <param name="addresses">Multiples of 8.</param>
    /// <param name="bits">Which lanes are wanted; on return, which were loaded. The others give 0.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal TLanes Load64<TLanes>(PhysicalRun run, TLanes addresses, ref uint bits)
        where TLanes : struct, ILanes<TLanes>
    {
        TLanes pointers = run.Resolve(addresses, out uint inside);
        return (bits & ~inside) == 0 ? TLanes.Gather(pointers, bits) : LoadOneByOne(addresses, ref bits);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private TLanes LoadOneByOne<TLanes>(TLanes addresses, ref uint bits)
        where TLanes : struct, ILanes<TLanes>
    {
        Span<ulong> at = stackalloc ulong[8];
        Span<ulong> loaded = stackalloc ulong[8];
        loaded.Clear();
        TLanes.Store(addresses, ref at[0], 0);
        for (uint rest = bits; rest != 0; rest &= rest - 1)
        {
            int lane = BitOperations.TrailingZeroCount(rest);
            bits &= TryLoad64(at[lane], out loaded[lane]) ? uint.MaxValue : ~(1u << lane);
        }

        return TLanes.Load(in loaded[0], 0);
    }
}
