using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FastNest.Lanes;

/// <summary>Four lanes with AVX2 gathers.</summary>
internal readonly unsafe struct Avx2Lanes(Vector256<ulong> value) : ILanes<Avx2Lanes>
{
    private readonly Vector256<ulong> _value = value;

    public static int Count => 4;

    public static bool IsSupported => Avx2.IsSupported;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator &(Avx2Lanes left, Avx2Lanes right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator |(Avx2Lanes left, Avx2Lanes right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator ^(Avx2Lanes left, Avx2Lanes right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator ~(Avx2Lanes value) => new(~value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator +(Avx2Lanes left, Avx2Lanes right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator -(Avx2Lanes left, Avx2Lanes right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator <<(Avx2Lanes value, int count) => new(value._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes operator >>>(Avx2Lanes value, int count) => new(value._value >>> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes All(ulong value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes Load(ref readonly ulong source, int index) => new(Vector256.LoadUnsafe(in source, (nuint)index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Avx2Lanes value, ref ulong destination, int index) =>
        value._value.StoreUnsafe(ref destination, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Equal(Avx2Lanes left, Avx2Lanes right) =>
        Vector256.Equals(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(Avx2Lanes value) => value._value == Vector256<ulong>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Less(Avx2Lanes left, Avx2Lanes right) =>
        Vector256.LessThan(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes Min(Avx2Lanes left, Avx2Lanes right) => new(Vector256.Min(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes Select(uint bits, Avx2Lanes set, Avx2Lanes clear) =>
        new(Vector256.ConditionalSelect(Mask(bits), set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes Blend(Avx2Lanes mask, Avx2Lanes set, Avx2Lanes clear) =>
        new(Vector256.ConditionalSelect(mask._value, set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes Gather(Avx2Lanes pointers, uint bits) => new(
        bits != 15 ? Gather(pointers._value, Mask(bits))
        : GatherSpeed.IsSlow ? LoadEach(pointers._value)
        : Gather(pointers._value, Vector256<ulong>.AllBitsSet));

    /// <summary>The masked form: the other has a false dependency on its destination.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> Gather(Vector256<ulong> pointers, Vector256<ulong> mask) =>
        Avx2.GatherMaskVector256(Vector256<ulong>.Zero, (ulong*)null, pointers.AsInt64(), mask, 1);

    /// <summary>What a gather of all lanes gives, by single loads.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> LoadEach(Vector256<ulong> pointers)
    {
        Vector128<ulong> lower = pointers.GetLower();
        Vector128<ulong> upper = pointers.GetUpper();
        return Vector256.Create(
            Vector128.Create(*(ulong*)lower.GetElement(0), *(ulong*)lower.GetElement(1)),
            Vector128.Create(*(ulong*)upper.GetElement(0), *(ulong*)upper.GetElement(1)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Avx2Lanes GatherEach(ref ulong pointers, int index) => GatherSpeed.IsSlow
        ? new(LoadEach(ref Unsafe.Add(ref pointers, index)))
        : Gather(Load(in pointers, index), 15);

    /// <summary>The same by pointers in memory: no vector has to be taken apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<ulong> LoadEach(ref ulong pointers) => Vector256.Create(
        Vector128.Create(*(ulong*)pointers, *(ulong*)Unsafe.Add(ref pointers, 1)),
        Vector128.Create(*(ulong*)Unsafe.Add(ref pointers, 2), *(ulong*)Unsafe.Add(ref pointers, 3)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(Avx2Lanes pointers) => Prefetch(pointers._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(Vector256<ulong> pointers)
    {
        Vector128<ulong> lower = pointers.GetLower();
        Vector128<ulong> upper = pointers.GetUpper();
        Sse.Prefetch0((void*)lower.GetElement(0));
        Sse.Prefetch0((void*)lower.GetElement(1));
        Sse.Prefetch0((void*)upper.GetElement(0));
        Sse.Prefetch0((void*)upper.GetElement(1));
    }

    /// <summary>Not by gathers, which load the halves of a pair one by one and cost half as much again.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GatherPairs(nint table, Avx2Lanes offsets, out Avx2Lanes first, out Avx2Lanes second)
    {
        LoadPairs(table, offsets._value, out Vector256<ulong> even, out Vector256<ulong> odd);
        first = new(Avx2.UnpackLow(even, odd));
        second = new(Avx2.UnpackHigh(even, odd));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ref readonly ulong source, int pair, out Avx2Lanes first, out Avx2Lanes second)
    {
        Vector256<ulong> lower = Vector256.LoadUnsafe(in source, (nuint)pair * 2);
        Vector256<ulong> upper = Vector256.LoadUnsafe(in source, (nuint)pair * 2 + 4);
        Vector256<ulong> near = Avx2.Permute2x128(lower, upper, 0x20);
        Vector256<ulong> far = Avx2.Permute2x128(lower, upper, 0x31);
        first = new(Avx2.UnpackLow(near, far));
        second = new(Avx2.UnpackHigh(near, far));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Compress(Avx2Lanes value, uint bits, ref ulong destination, int index)
    {
        Vector256<int> order = Vector256.LoadUnsafe(in MemoryMarshal.GetReference(CompressOrder.Table), bits * 8);
        Avx2.PermuteVar8x32(value._value.AsInt32(), order).AsUInt64().StoreUnsafe(ref destination, (nuint)index);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(Avx2Lanes first, Avx2Lanes second, ref ulong destination, int pair)
    {
        Vector256<ulong> even = Avx2.UnpackLow(first._value, second._value);
        Vector256<ulong> odd = Avx2.UnpackHigh(first._value, second._value);
        Avx2.Permute2x128(even, odd, 0x20).StoreUnsafe(ref destination, (nuint)pair * 2);
        Avx2.Permute2x128(even, odd, 0x31).StoreUnsafe(ref destination, (nuint)pair * 2 + 4);
    }

    /// <summary>Loads four pairs at offsets in bytes: those of even lanes and those of odd ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(nint table, Vector256<ulong> offsets, out Vector256<ulong> even, out Vector256<ulong> odd)
    {
        Vector128<ulong> lower = offsets.GetLower();
        Vector128<ulong> upper = offsets.GetUpper();
        even = Vector256.Create(Pair(table, lower.GetElement(0)), Pair(table, upper.GetElement(0)));
        odd = Vector256.Create(Pair(table, lower.GetElement(1)), Pair(table, upper.GetElement(1)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Pair(nint table, ulong offset) => Vector128.Load((ulong*)(table + (nint)offset));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Mask(uint bits)
    {
        Vector256<ulong> own = Vector256.Create(1UL, 2, 4, 8);
        return Vector256.Equals(Vector256.Create((ulong)bits) & own, own);
    }
}
