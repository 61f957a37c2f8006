using FastNest.Engine;
using FastNest.Fuzz.Soak;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>A short run of the soak: after COMPLETION_WAIT no stale result, with threads as the machine schedules them.</summary>
public class ConcurrencyTests
{
    public static TheoryData<string> CacheSizes => ["default", "smallest", "none"];

    [Theory]
    [MemberData(nameof(CacheSizes))]
    public void NothingIsStaleAfterACompletedWait(string caches)
    {
        CacheOptions options = caches switch
        {
            "default" => new(),
            "smallest" => CacheOptions.Smallest,
            _ => CacheOptions.None,
        };
        SoakReport report = ConcurrentSoak.Run(TimeSpan.FromSeconds(3), translators: 2, seed: 1, options);
        Assert.True(report.Violations == 0, $"{report.Violations} violations, the first: {report.First}");
        Assert.True(report is { Translations: > 1000, Invalidations: > 0 }, $"nothing was tried: {report}");
    }
}
