using FsCheck.Xunit;

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
}
