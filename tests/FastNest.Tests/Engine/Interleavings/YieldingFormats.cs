using FastNest.Formats;
using FastNest.Lanes;

namespace FastNest.Tests.Engine.Interleavings;

/// <summary>The engine's formats with a yield point after every entry read, where an exploration puts the other thread's steps.</summary>
internal static class YieldPoint
{
    [ThreadStatic]
    private static Action? _step;

    public static void Set(Action? step) => _step = step;

    public static void Reached() => _step?.Invoke();
}

internal readonly struct YieldingV1 : IPageTableFormat
{
    public static ulong Accessed => AmdV1.Accessed;

    public static ulong Dirty => AmdV1.Dirty;

    public static ulong Address => AmdV1.Address;

    public static ulong Grants => AmdV1.Grants;

    public static ulong Denials => AmdV1.Denials;

    public static int IndexShift(int level) => AmdV1.IndexShift(level);

    public static bool Covers(ulong address, int levels) => AmdV1.Covers(address, levels);

    public static DecodedEntry Decode(ulong entry, int level)
    {
        YieldPoint.Reached();
        return AmdV1.Decode(entry, level);
    }

    public static void Usual(int level, out ulong mask, out ulong value) => AmdV1.Usual(level, out mask, out value);

    public static TLanes Rights<TLanes>(TLanes entries)
        where TLanes : struct, ILanes<TLanes>
    {
        YieldPoint.Reached();
        return AmdV1.Rights(entries);
    }
}

internal readonly struct YieldingV2 : IGuestFormat
{
    public static ulong Accessed => AmdV2.Accessed;

    public static ulong Dirty => AmdV2.Dirty;

    public static ulong Address => AmdV2.Address;

    public static ulong Grants => AmdV2.Grants;

    public static ulong Denials => AmdV2.Denials;

    public static int IndexShift(int level) => AmdV2.IndexShift(level);

    public static bool Covers(ulong address, int levels) => AmdV2.Covers(address, levels);

    public static bool IsCanonical(ulong address, int levels) => AmdV2.IsCanonical(address, levels);

    public static DecodedEntry Decode(ulong entry, int level)
    {
        YieldPoint.Reached();
        return AmdV2.Decode(entry, level);
    }

    public static void Usual(int level, out ulong mask, out ulong value) => AmdV2.Usual(level, out mask, out value);

    public static TLanes Rights<TLanes>(TLanes entries)
        where TLanes : struct, ILanes<TLanes>
    {
        YieldPoint.Reached();
        return AmdV2.Rights(entries);
    }
}
