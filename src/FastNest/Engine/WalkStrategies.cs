using FastNest.Caches;
using FastNest.Formats;
using FastNest.Lanes;
using FastNest.Memory;

namespace FastNest.Engine;

/// <summary>Which strategies this machine can run, and which one runs.</summary>
public static class WalkStrategies
{
    /// <summary>Those that this machine has the instructions for; never <see cref="WalkStrategy.Auto"/>.</summary>
    public static IReadOnlyList<WalkStrategy> Supported { get; } =
        [.. Enum.GetValues<WalkStrategy>().Where(IsSupported)];

    /// <summary>Whether this machine has the instructions for a strategy; false for <see cref="WalkStrategy.Auto"/>.</summary>
    public static bool IsSupported(WalkStrategy strategy) => strategy switch
    {
        WalkStrategy.Scalar or WalkStrategy.Grouped or WalkStrategy.Portable => true,
        WalkStrategy.Avx2 => Avx2Lanes.IsSupported,
        WalkStrategy.Avx512 => Avx512Lanes.IsSupported,
        _ => false,
    };

    /// <summary>The strategy that a wish comes to on this machine.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such strategy.</exception>
    /// <exception cref="NotSupportedException">The machine lacks the instructions.</exception>
    internal static WalkStrategy Resolve(WalkStrategy strategy)
    {
        if (!Enum.IsDefined(strategy))
        {
            throw new ArgumentOutOfRangeException(nameof(strategy), strategy, "no such strategy");
        }

        if (strategy == WalkStrategy.Auto)
        {
            return StrategyCalibration.Choose();
        }

        return IsSupported(strategy)
            ? strategy
            : throw new NotSupportedException($"strategy {strategy}: this machine runs {string.Join(", ", Supported)}");
    }

    internal static LaneWalker? Walker<TGuest, THost>(WalkStrategy strategy, GuestPhysicalSpace memory, LaneCaches caches, TagTable tags)
        where TGuest : struct, IGuestFormat
        where THost : struct, IPageTableFormat
    {
        _ = GatherSpeed.IsSlow; // known before the walks are compiled, which then hold only the faster way
        return Resolve(strategy) switch
        {
            WalkStrategy.Grouped => new NestedLanes<TGuest, THost, GroupedLanes>(memory, caches, tags),
            WalkStrategy.Portable => new NestedLanes<TGuest, THost, PortableLanes>(memory, caches, tags),
            WalkStrategy.Avx2 => new NestedLanes<TGuest, THost, Avx2Lanes>(memory, caches, tags),
            WalkStrategy.Avx512 => new NestedLanes<TGuest, THost, Avx512Lanes>(memory, caches, tags),
            _ => null,
        };
    }
}
