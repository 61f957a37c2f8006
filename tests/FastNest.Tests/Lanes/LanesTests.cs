using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using FastNest.Lanes;
using Xunit;

namespace FastNest.Tests.Lanes;

/// <summary>Every operation of every kind of lanes against the same on plain numbers.</summary>
public sealed class LanesTests
{
    private const int Rounds = 300;

    [Fact]
    public void PortableLanesCalculateAsNumbersDo() => Check<PortableLanes>();

    [Fact]
    public void GroupedLanesCalculateAsNumbersDo() => Check<GroupedLanes>();

    [Fact]
    public void Avx2LanesCalculateAsNumbersDo()
    {
        if (!Avx2Lanes.IsSupported)
        {
            return; // another machine's run covers it
        }

        Check<Avx2Lanes>();
    }

    [Fact]
    public void Avx512LanesCalculateAsNumbersDo()
    {
        if (!Avx512Lanes.IsSupported)
        {
            return; // another machine's run covers it
        }

        Check<Avx512Lanes>();
    }

    /// <summary>Which of the two a run takes depends on the machine.</summary>
    [Fact]
    public void SingleLoadsGiveWhatAGatherGives()
    {
        if (!Avx2Lanes.IsSupported)
        {
            return; // another machine's run covers it
        }

        ulong[] memory = GC.AllocateArray<ulong>(16, pinned: true);
        var start = (ulong)Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        for (ulong i = 0; i < 16; i++)
        {
            memory[i] = i * 0x1234_5678_9ABC;
        }

        Vector256<ulong> pointers = Vector256.Create(start + 8, start + 120, start, start + 64);
        Assert.Equal(Vector256.Create(memory[1], memory[15], memory[0], memory[8]), Avx2Lanes.LoadEach(pointers));
        ulong[] each = [start + 8, start + 120, start, start + 64];
        Assert.Equal(Avx2Lanes.LoadEach(pointers), Avx2Lanes.LoadEach(ref each[0]));
        Assert.Equal(Avx2Lanes.LoadEach(pointers), Avx2Lanes.Gather(pointers, Vector256<ulong>.AllBitsSet));
    }

    private static void Check<TLanes>()
        where TLanes : struct, ILanes<TLanes>
    {
        int count = TLanes.Count;
        var dice = new Dice(1);
        ulong[] memory = GC.AllocateArray<ulong>(128, pinned: true);
        nint start = Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        for (int round = 0; round < Rounds; round++)
        {
            ulong[] a = Numbers(dice, count);
            ulong[] b = Numbers(dice, count);
            Array.ForEach(Enumerable.Range(0, 4).ToArray(), _ => b[dice.Below(count)] = a[dice.Below(count)]);
            TLanes x = TLanes.Load(in a[0], 0);
            TLanes y = TLanes.Load(in b[0], 0);
            uint bits = (uint)dice.Below(1 << count);
            int shift = dice.Below(64);
            Same(a.Zip(b, (l, r) => l & r), x & y);
            Same(a.Zip(b, (l, r) => l | r), x | y);
            Same(a.Zip(b, (l, r) => l ^ r), x ^ y);
            Same(a.Zip(b, (l, r) => l + r), x + y);
            Same(a.Zip(b, (l, r) => l - r), x - y);
            Same(a.Select(l => ~l), ~x);
            Same(a.Select(l => l << shift), x << shift);
            Same(a.Select(l => l >> shift), x >>> shift);
            Same(Enumerable.Repeat(a[0], count), TLanes.All(a[0]));
            Same(a.Select((l, i) => (bits >> i & 1) != 0 ? l : b[i]), TLanes.Select(bits, x, y));
            Same(a.Select((l, i) => (a[i] & b[i]) | (~a[i] & b[^(i + 1)])), TLanes.Blend(x, y, Reversed<TLanes>(b)));
            TLanes z = Reversed<TLanes>(b);
            Same(a.Select((l, i) => l | (b[i] & b[^(i + 1)])), TLanes.OrAnd(x, y, z));
            Same(a.Select((l, i) => l | (b[i] & ~b[^(i + 1)])), TLanes.OrAndNot(x, y, z));
            Same(a.Select((l, i) => l & (b[i] | b[^(i + 1)])), TLanes.AndOr(x, y, z));
            Assert.Equal(a.SequenceEqual(b), TLanes.IsZero(x ^ y));
            Assert.True(TLanes.IsZero(x ^ x));
            Assert.Equal(Bits(count, i => a[i] == b[i]), TLanes.Equal(x, y));
            Assert.Equal(Bits(count, i => a[i] < b[i]), TLanes.Less(x, y));
            CheckMemory<TLanes>(dice, memory, start, bits, x, y, a, b);
        }
    }

    private static void CheckMemory<TLanes>(
        Dice dice, ulong[] memory, nint start, uint bits, TLanes x, TLanes y, ulong[] a, ulong[] b)
        where TLanes : struct, ILanes<TLanes>
    {
        int count = TLanes.Count;
        for (int i = 0; i < memory.Length; i++)
        {
            memory[i] = dice.Word();
        }

        ulong[] index = [.. Enumerable.Range(0, count).Select(_ => (ulong)dice.Below(memory.Length / 2))];

        // What is not asked for may be no address at all.
        ulong[] pointers = [.. index.Select((at, i) => (bits >> i & 1) != 0 ? (ulong)start + at * 8 : dice.Word())];
        Same(index.Select((at, i) => (bits >> i & 1) != 0 ? memory[at] : 0), TLanes.Gather(TLanes.Load(in pointers[0], 0), bits));
        ulong[] all = [.. index.Select(at => (ulong)start + at * 8)];
        Same(index.Select(at => memory[at]), TLanes.GatherEach(ref all[0], 0));
        ulong[] offsets = [.. index.Select(at => at * 16)];
        TLanes.GatherPairs(start, TLanes.Load(in offsets[0], 0), out TLanes first, out TLanes second);
        Same(index.Select(at => memory[at * 2]), first);
        Same(index.Select(at => memory[at * 2 + 1]), second);

        var kept = new ulong[count + 3];
        TLanes.Compress(x, bits, ref kept[0], 3);
        ulong[] chosen = [.. a.Where((_, i) => (bits >> i & 1) != 0)];
        Assert.Equal(chosen, kept.Skip(3).Take(chosen.Length));

        var pairs = new ulong[2 * count + 2];
        TLanes.StorePairs(x, y, ref pairs[0], 1);
        TLanes.LoadPairs(in pairs[0], 1, out TLanes evens, out TLanes odds);
        Same(a, evens);
        Same(b, odds);
        Assert.Equal(a.Zip(b).SelectMany(pair => new[] { pair.First, pair.Second }), pairs.Skip(2));
    }

    private static ulong[] Numbers(Dice dice, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => dice.OneIn(4) ? dice.Of(0UL, 1UL, ulong.MaxValue, 1UL << 63, (1UL << 63) - 1) : dice.Word())];

    private static TLanes Reversed<TLanes>(ulong[] values)
        where TLanes : struct, ILanes<TLanes>
    {
        ulong[] reversed = [.. Enumerable.Reverse(values)];
        return TLanes.Load(in reversed[0], 0);
    }

    private static uint Bits(int count, Func<int, bool> isSet) =>
        Enumerable.Range(0, count).Aggregate(0u, (bits, i) => bits | (isSet(i) ? 1u << i : 0));

    private static void Same<TLanes>(IEnumerable<ulong> expected, TLanes actual)
        where TLanes : struct, ILanes<TLanes>
    {
        var stored = new ulong[TLanes.Count];
        TLanes.Store(actual, ref stored[0], 0);
        Assert.Equal(expected, stored);
    }
}
