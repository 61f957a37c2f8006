using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>Random changes, invalidations and translations through both stages, see <see cref="NestedHistory"/>.</summary>
public sealed class NestedInvalidationProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 200)]
    public void AnAnswerIsAlwaysOneThatTheTablesMayGive(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        using var history = new NestedHistory(new Dice(seed.Value));
        for (int step = 0; step < 300; step++)
        {
            history.Step();
        }
    }

    /// <summary>The caches must have been at work, or the property above proves nothing.</summary>
    [Fact]
    public void SomeAnswersAreOfThePast()
    {
        int stale = 0;
        for (int seed = 0; seed < 10; seed++)
        {
            using var history = new NestedHistory(new Dice(seed));
            for (int step = 0; step < 300; step++)
            {
                history.Step();
            }

            stale += history.StaleAnswers;
        }

        Assert.True(stale > 50, $"{stale} answers of the past");
    }
}
