using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace FastNest.Lanes;

/// <summary>
/// Four lanes without vectors: single instructions, their walks taking turns, each with the line that it needs next brought near
/// while the others go on.
/// </summary>
internal readonly unsafe struct GroupedLanes(ulong a, ulong b, ulong c, ulong d) : ILanes<GroupedLanes>
{
    private readonly ulong _a = a;
    private readonly ulong _b = b;
    private readonly ulong _c = c;
    private readonly ulong _d = d;

    public static int Count => 4;

    public static bool IsSupported => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator &(GroupedLanes left, GroupedLanes right) =>
        new(left._a & right._a, left._b & right._b, left._c & right._c, left._d & right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator |(GroupedLanes left, GroupedLanes right) =>
        new(left._a | right._a, left._b | right._b, left._c | right._c, left._d | right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator ^(GroupedLanes left, GroupedLanes right) =>
        new(left._a ^ right._a, left._b ^ right._b, left._c ^ right._c, left._d ^ right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator ~(GroupedLanes value) => new(~value._a, ~value._b, ~value._c, ~value._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator +(GroupedLanes left, GroupedLanes right) =>
        new(left._a + right._a, left._b + right._b, left._c + right._c, left._d + right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator -(GroupedLanes left, GroupedLanes right) =>
        new(left._a - right._a, left._b - right._b, left._c - right._c, left._d - right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator <<(GroupedLanes value, int count) =>
        new(value._a << count, value._b << count, value._c << count, value._d << count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes operator >>>(GroupedLanes value, int count) =>
        new(value._a >> count, value._b >> count, value._c >> count, value._d >> count);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes All(ulong value) => new(value, value, value, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes Load(ref readonly ulong source, int index)
    {
        ref ulong at = ref Unsafe.Add(ref Unsafe.AsRef(in source), index);
        return new(at, Unsafe.Add(ref at, 1), Unsafe.Add(ref at, 2), Unsafe.Add(ref at, 3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(GroupedLanes value, ref ulong destination, int index)
    {
        ref ulong at = ref Unsafe.Add(ref destination, index);
        at = value._a;
        Unsafe.Add(ref at, 1) = value._b;
        Unsafe.Add(ref at, 2) = value._c;
        Unsafe.Add(ref at, 3) = value._d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Equal(GroupedLanes left, GroupedLanes right) =>
        Bits(left._a == right._a, left._b == right._b, left._c == right._c, left._d == right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsZero(GroupedLanes value) => (value._a | value._b | value._c | value._d) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Less(GroupedLanes left, GroupedLanes right) =>
        Bits(left._a < right._a, left._b < right._b, left._c < right._c, left._d < right._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes Min(GroupedLanes left, GroupedLanes right) => new(
        Math.Min(left._a, right._a), Math.Min(left._b, right._b), Math.Min(left._c, right._c), Math.Min(left._d, right._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes Select(uint bits, GroupedLanes set, GroupedLanes clear) => new(
        (bits & 1) != 0 ? set._a : clear._a,
        (bits & 2) != 0 ? set._b : clear._b,
        (bits & 4) != 0 ? set._c : clear._c,
        (bits & 8) != 0 ? set._d : clear._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes Blend(GroupedLanes mask, GroupedLanes set, GroupedLanes clear) => (set & mask) | (clear & ~mask);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes Gather(GroupedLanes pointers, uint bits) => new(
        (bits & 1) != 0 ? Read(pointers._a) : 0,
        (bits & 2) != 0 ? Read(pointers._b) : 0,
        (bits & 4) != 0 ? Read(pointers._c) : 0,
        (bits & 8) != 0 ? Read(pointers._d) : 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static GroupedLanes GatherEach(ref ulong pointers, int index) => Gather(Load(in pointers, index), 15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(GroupedLanes pointers)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0((void*)pointers._a);
            Sse.Prefetch0((void*)pointers._b);
            Sse.Prefetch0((void*)pointers._c);
            Sse.Prefetch0((void*)pointers._d);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void GatherPairs(nint table, GroupedLanes offsets, out GroupedLanes first, out GroupedLanes second)
    {
        var a = (ulong*)(table + (nint)offsets._a);
        var b = (ulong*)(table + (nint)offsets._b);
        var c = (ulong*)(table + (nint)offsets._c);
        var d = (ulong*)(table + (nint)offsets._d);
        first = new(a[0], b[0], c[0], d[0]);
        second = new(a[1], b[1], c[1], d[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadPairs(ref readonly ulong source, int pair, out GroupedLanes first, out GroupedLanes second)
    {
        ref ulong at = ref Unsafe.Add(ref Unsafe.AsRef(in source), pair * 2);
        first = new(at, Unsafe.Add(ref at, 2), Unsafe.Add(ref at, 4), Unsafe.Add(ref at, 6));
        second = new(Unsafe.Add(ref at, 1), Unsafe.Add(ref at, 3), Unsafe.Add(ref at, 5), Unsafe.Add(ref at, 7));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Compress(GroupedLanes value, uint bits, ref ulong destination, int index)
    {
        Unsafe.Add(ref destination, index) = value._a;
        index += (int)(bits & 1);
        Unsafe.Add(ref destination, index) = value._b;
        index += (int)(bits >> 1 & 1);
        Unsafe.Add(ref destination, index) = value._c;
        index += (int)(bits >> 2 & 1);
        Unsafe.Add(ref destination, index) = value._d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StorePairs(GroupedLanes first, GroupedLanes second, ref ulong destination, int pair)
    {
        ref ulong at = ref Unsafe.Add(ref destination, pair * 2);
        at = first._a;
        Unsafe.Add(ref at, 1) = second._a;
        Unsafe.Add(ref at, 2) = first._b;
        Unsafe.Add(ref at, 3) = second._b;
        Unsafe.Add(ref at, 4) = first._c;
        Unsafe.Add(ref at, 5) = second._c;
        Unsafe.Add(ref at, 6) = first._d;
        Unsafe.Add(ref at, 7) = second._d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Read(ulong pointer) => Volatile.Read(ref *(ulong*)pointer);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bits(bool a, bool b, bool c, bool d) =>
        (a ? 1u : 0) | (b ? 2u : 0) | (c ? 4u : 0) | (d ? 8u : 0);
}
