using System.Diagnostics;
using System.Runtime.CompilerServices;
using FastNest.Caches;
using FastNest.Lanes;

namespace FastNest.Engine;

/// <summary>
/// Finds out, once per process and in some ten milliseconds with what is compiled for it, which lanes are fastest here: what a model of processor is called
/// says little, as gathers are slow on some and were made slow on others by microcode.
/// </summary>
internal static class StrategyCalibration
{
    private const string Variable = "FASTNEST_STRATEGY";
    private const int Entries = 4096;
    private const int Probes = 2048;
    private const int Rounds = 9;

    private static readonly Lazy<WalkStrategy> Fastest = new(Measure);

    /// <summary>What the environment asks for, or else what is fastest.</summary>
    /// <exception cref="NotSupportedException">The environment asks for what this machine cannot run.</exception>
    public static WalkStrategy Choose() => FromEnvironment(Environment.GetEnvironmentVariable(Variable)) ?? Fastest.Value;

    /// <summary>What the variable's value asks for; null for nothing, and for automatic choice.</summary>
    internal static WalkStrategy? FromEnvironment(string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            return null;
        }

        // By name alone: parsing an enumeration takes numbers and lists too.
        int known = Array.FindIndex(Enum.GetNames<WalkStrategy>(), name => name.Equals(value, StringComparison.OrdinalIgnoreCase));
        if (known < 0)
        {
            throw new NotSupportedException($"{Variable}={value}: expected one of {string.Join(", ", Enum.GetNames<WalkStrategy>())}");
        }

        WalkStrategy strategy = Enum.GetValues<WalkStrategy>()[known];
        if (strategy == WalkStrategy.Auto)
        {
            return null;
        }

        return WalkStrategies.IsSupported(strategy)
            ? strategy
            : throw new NotSupportedException($"{Variable}={value}: this machine runs {string.Join(", ", WalkStrategies.Supported)}");
    }

    private static WalkStrategy Measure()
    {
        var cache = new DirectCache(Entries, 12);
        var random = new Random(1);
        ulong[] keys = [.. Enumerable.Range(0, Probes + 8).Select(_ => (1UL << DirectCache.TagShift) + (uint)random.Next(Entries))];
        foreach (ulong key in keys)
        {
            cache.Fill(key, key << 12, 12);
        }

        (WalkStrategy Strategy, long Time) best = (WalkStrategy.Portable, Time<PortableLanes>(cache, keys));
        best = Better(best, (WalkStrategy.Grouped, Time<GroupedLanes>(cache, keys)));
        if (Avx2Lanes.IsSupported)
        {
            best = Better(best, (WalkStrategy.Avx2, Time<Avx2Lanes>(cache, keys)));
        }

        if (Avx512Lanes.IsSupported)
        {
            best = Better(best, (WalkStrategy.Avx512, Time<Avx512Lanes>(cache, keys)));
        }

        return best.Strategy;
    }

    private static (WalkStrategy Strategy, long Time) Better((WalkStrategy Strategy, long Time) left, (WalkStrategy Strategy, long Time) right) =>
        right.Time < left.Time ? right : left;

    private static long Time<TLanes>(DirectCache cache, ulong[] keys)
        where TLanes : struct, ILanes<TLanes>
    {
        long least = long.MaxValue;
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            if (Probe<TLanes>(cache, keys) != Probes)
            {
                throw new InvalidOperationException("a key is missing");
            }

            least = Math.Min(least, Stopwatch.GetTimestamp() - start);
        }

        return least;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int Probe<TLanes>(DirectCache cache, ulong[] keys)
        where TLanes : struct, ILanes<TLanes>
    {
        int found = 0;
        for (int i = 0; i < Probes; i += TLanes.Count)
        {
            TLanes key = TLanes.Load(in keys[0], i);
            cache.Probe(key, out TLanes known, out TLanes page);
            uint hit = TLanes.Equal(known, key) & TLanes.Equal(page >>> 12, key & TLanes.All((1UL << 52) - 1));
            found += int.PopCount((int)hit);
        }

        return found;
    }
}
