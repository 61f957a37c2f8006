using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FastNest.Lanes;

/// <summary>Eight lanes: 512-bit arithmetic and compares around 256-bit gathers, as .NET has no wider ones.</summary>
internal readonly unsafe struct Avx512Lanes(Vector512<ulong> value) : ILanes<Avx512Lanes>
{
    private readonly Vector512<ulong> _value = value;

    public static int Count => 8;

    public static bool IsSupported => Avx512F.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator &(Avx512Lanes left, Avx512Lanes right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator |(Avx512Lanes left, Avx512Lanes right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator ^(Avx512Lanes left, Avx512Lanes right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator ~(Avx512Lanes value) => new(~value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator +(Avx512Lanes left, Avx512Lanes right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator -(Avx512Lanes left, Avx512Lanes right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator <<(Avx512Lanes value, int count) => new(value._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes operator >>>(Avx512Lanes value, int count) => new(value._value >>> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes OrAnd(Avx512Lanes value, Avx512Lanes left, Avx512Lanes right) =>
        new(Avx512F.TernaryLogic(value._value, left._value, right._value, 0b1111_1000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes OrAndNot(Avx512Lanes value, Avx512Lanes left, Avx512Lanes right) =>
        new(Avx512F.TernaryLogic(value._value, left._value, right._value, 0b1111_0100));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes AndOr(Avx512Lanes value, Avx512Lanes left, Avx512Lanes right) =>
        new(Avx512F.TernaryLogic(value._value, left._value, right._value, 0b1110_0000));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes All(ulong value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes Load(ref readonly ulong source, int index) => new(Vector512.LoadUnsafe(in source, (nuint)index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Avx512Lanes value, ref ulong destination, int index) =>
        value._value.StoreUnsafe(ref destination, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Equal(Avx512Lanes left, Avx512Lanes right) =>
        (uint)Vector512.Equals(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(Avx512Lanes value) => value._value == Vector512<ulong>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Less(Avx512Lanes left, Avx512Lanes right) =>
        (uint)Vector512.LessThan(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes Min(Avx512Lanes left, Avx512Lanes right) => new(Vector512.Min(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes Select(uint bits, Avx512Lanes set, Avx512Lanes clear) =>
        new(Vector512.ConditionalSelect(Mask(bits), set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes Blend(Avx512Lanes mask, Avx512Lanes set, Avx512Lanes clear) =>
        new(Vector512.ConditionalSelect(mask._value, set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes Gather(Avx512Lanes pointers, uint bits)
    {
        Vector256<ulong> lower = pointers._value.GetLower();
        Vector256<ulong> upper = pointers._value.GetUpper();
        if (bits == 255 && GatherSpeed.IsSlow)
        {
            return new(Join(Avx2Lanes.LoadEach(lower), Avx2Lanes.LoadEach(upper)));
        }

        Vector512<ulong> mask = bits == 255 ? Vector512<ulong>.AllBitsSet : Mask(bits);
        return new(Join(Avx2Lanes.Gather(lower, mask.GetLower()), Avx2Lanes.Gather(upper, mask.GetUpper())));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx512Lanes GatherEach(ref ulong pointers, int index)
    {
        ref ulong at = ref Unsafe.Add(ref pointers, index);
        return GatherSpeed.IsSlow
            ? new(Join(Avx2Lanes.LoadEach(ref at), Avx2Lanes.LoadEach(ref Unsafe.Add(ref at, 4))))
            : Gather(Load(in pointers, index), 255);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(Avx512Lanes pointers)
    {
        Avx2Lanes.Prefetch(pointers._value.GetLower());
        Avx2Lanes.Prefetch(pointers._value.GetUpper());
    }

    /// <inheritdoc cref="Avx2Lanes.GatherPairs"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GatherPairs(nint table, Avx512Lanes offsets, out Avx512Lanes first, out Avx512Lanes second)
    {
        Avx2Lanes.LoadPairs(table, offsets._value.GetLower(), out Vector256<ulong> evenLower, out Vector256<ulong> oddLower);
        Avx2Lanes.LoadPairs(table, offsets._value.GetUpper(), out Vector256<ulong> evenUpper, out Vector256<ulong> oddUpper);
        Vector512<ulong> even = Join(evenLower, evenUpper);
        Vector512<ulong> odd = Join(oddLower, oddUpper);
        first = new(Avx512F.UnpackLow(even, odd));
        second = new(Avx512F.UnpackHigh(even, odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ref readonly ulong source, int pair, out Avx512Lanes first, out Avx512Lanes second)
    {
        Vector512<ulong> lower = Vector512.LoadUnsafe(in source, (nuint)pair * 2);
        Vector512<ulong> upper = Vector512.LoadUnsafe(in source, (nuint)pair * 2 + 8);
        first = new(Avx512F.PermuteVar8x64x2(lower, Vector512.Create(0UL, 2, 4, 6, 8, 10, 12, 14), upper));
        second = new(Avx512F.PermuteVar8x64x2(lower, Vector512.Create(1UL, 3, 5, 7, 9, 11, 13, 15), upper));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Compress(Avx512Lanes value, uint bits, ref ulong destination, int index)
    {
        Vector512<ulong> mask = Mask(bits);
        Avx512F.Compress(Vector512<ulong>.Zero, mask, value._value).StoreUnsafe(ref destination, (nuint)index);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(Avx512Lanes first, Avx512Lanes second, ref ulong destination, int pair)
    {
        Vector512<ulong> low = Avx512F.PermuteVar8x64x2(first._value, Vector512.Create(0UL, 8, 1, 9, 2, 10, 3, 11), second._value);
        Vector512<ulong> high = Avx512F.PermuteVar8x64x2(first._value, Vector512.Create(4UL, 12, 5, 13, 6, 14, 7, 15), second._value);
        low.StoreUnsafe(ref destination, (nuint)pair * 2);
        high.StoreUnsafe(ref destination, (nuint)pair * 2 + 8);
    }

    /// <summary>Not by two insertions: they would wait for what the register held before.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Join(Vector256<ulong> lower, Vector256<ulong> upper) =>
        lower.ToVector512Unsafe().WithUpper(upper);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<ulong> Mask(uint bits)
    {
        Vector512<ulong> own = Vector512.Create(1UL, 2, 4, 8, 16, 32, 64, 128);
        return Vector512.Equals(Vector512.Create((ulong)bits) & own, own);
    }
}
