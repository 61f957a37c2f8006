using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace FastNest.Lanes;

/// <summary>Four lanes in whatever vectors the machine has, loaded one by one: for machines without gathers, or with slow ones.</summary>
internal readonly unsafe struct PortableLanes(Vector256<ulong> value) : ILanes<PortableLanes>
{
    private readonly Vector256<ulong> _value = value;

    public static int Count => 4;

    public static bool IsSupported => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator &(PortableLanes left, PortableLanes right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator |(PortableLanes left, PortableLanes right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator ^(PortableLanes left, PortableLanes right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator ~(PortableLanes value) => new(~value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator +(PortableLanes left, PortableLanes right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator -(PortableLanes left, PortableLanes right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator <<(PortableLanes value, int count) => new(value._value << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes operator >>>(PortableLanes value, int count) => new(value._value >>> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes All(ulong value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes Load(ref readonly ulong source, int index) => new(Vector256.LoadUnsafe(in source, (nuint)index));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(PortableLanes value, ref ulong destination, int index) =>
        value._value.StoreUnsafe(ref destination, (nuint)index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Equal(PortableLanes left, PortableLanes right) =>
        Vector256.Equals(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(PortableLanes value) => value._value == Vector256<ulong>.Zero;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Less(PortableLanes left, PortableLanes right) =>
        Vector256.LessThan(left._value, right._value).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes Min(PortableLanes left, PortableLanes right) => new(Vector256.Min(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes Select(uint bits, PortableLanes set, PortableLanes clear) =>
        new(Vector256.ConditionalSelect(Mask(bits), set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes Blend(PortableLanes mask, PortableLanes set, PortableLanes clear) =>
        new(Vector256.ConditionalSelect(mask._value, set._value, clear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes Gather(PortableLanes pointers, uint bits)
    {
        Vector256<ulong> from = pointers._value;
        return bits == 15
            ? new(Vector256.Create(
                Volatile.Read(ref *(ulong*)from.GetElement(0)),
                Volatile.Read(ref *(ulong*)from.GetElement(1)),
                Volatile.Read(ref *(ulong*)from.GetElement(2)),
                Volatile.Read(ref *(ulong*)from.GetElement(3))))
            : GatherSome(from, bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static PortableLanes GatherEach(ref ulong pointers, int index) => Gather(Load(in pointers, index), 15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(PortableLanes pointers)
    {
        if (Avx2.IsSupported)
        {
            Avx2Lanes.Prefetch(pointers._value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GatherPairs(nint table, PortableLanes offsets, out PortableLanes first, out PortableLanes second)
    {
        var pairs = (byte*)table;
        Vector256<ulong> at = offsets._value;
        Vector128<ulong> a = Vector128.Load((ulong*)(pairs + at.GetElement(0)));
        Vector128<ulong> b = Vector128.Load((ulong*)(pairs + at.GetElement(1)));
        Vector128<ulong> c = Vector128.Load((ulong*)(pairs + at.GetElement(2)));
        Vector128<ulong> d = Vector128.Load((ulong*)(pairs + at.GetElement(3)));
        first = new(Vector256.Create(Low(a, b), Low(c, d)));
        second = new(Vector256.Create(High(a, b), High(c, d)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ref readonly ulong source, int pair, out PortableLanes first, out PortableLanes second)
    {
        nuint at = (nuint)pair * 2;
        Vector128<ulong> a = Vector128.LoadUnsafe(in source, at);
        Vector128<ulong> b = Vector128.LoadUnsafe(in source, at + 2);
        Vector128<ulong> c = Vector128.LoadUnsafe(in source, at + 4);
        Vector128<ulong> d = Vector128.LoadUnsafe(in source, at + 6);
        first = new(Vector256.Create(Low(a, b), Low(c, d)));
        second = new(Vector256.Create(High(a, b), High(c, d)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Compress(PortableLanes value, uint bits, ref ulong destination, int index)
    {
        Unsafe.Add(ref destination, index) = value._value.GetElement(0);
        index += (int)(bits & 1);
        Unsafe.Add(ref destination, index) = value._value.GetElement(1);
        index += (int)(bits >> 1 & 1);
        Unsafe.Add(ref destination, index) = value._value.GetElement(2);
        index += (int)(bits >> 2 & 1);
        Unsafe.Add(ref destination, index) = value._value.GetElement(3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(PortableLanes first, PortableLanes second, ref ulong destination, int pair)
    {
        nuint at = (nuint)pair * 2;
        Low(first._value.GetLower(), second._value.GetLower()).StoreUnsafe(ref destination, at);
        High(first._value.GetLower(), second._value.GetLower()).StoreUnsafe(ref destination, at + 2);
        Low(first._value.GetUpper(), second._value.GetUpper()).StoreUnsafe(ref destination, at + 4);
        High(first._value.GetUpper(), second._value.GetUpper()).StoreUnsafe(ref destination, at + 6);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Low(Vector128<ulong> a, Vector128<ulong> b) => Vector128.Create(a.GetLower(), b.GetLower());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> High(Vector128<ulong> a, Vector128<ulong> b) => Vector128.Create(a.GetUpper(), b.GetUpper());

    private static PortableLanes GatherSome(Vector256<ulong> from, uint bits)
    {
        Vector256<ulong> loaded = Vector256<ulong>.Zero;
        for (int lane = 0; lane < 4; lane++)
        {
            if ((bits >> lane & 1) != 0)
            {
                loaded = loaded.WithElement(lane, Volatile.Read(ref *(ulong*)from.GetElement(lane)));
            }
        }

        return new(loaded);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Mask(uint bits)
    {
        Vector256<ulong> own = Vector256.Create(1UL, 2, 4, 8);
        return Vector256.Equals(Vector256.Create((ulong)bits) & own, own);
    }
}
