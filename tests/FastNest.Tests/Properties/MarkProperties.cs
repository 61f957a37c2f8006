using FsCheck.Xunit;

namespace FastNest.Tests.Properties;

/// <summary>Accessed and Dirty bits of both stages: set when and where the reference sets them (readings 9, 33, 36).</summary>
public sealed class MarkProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 300)]
    public void TheTablesAreMarkedAsTheReferenceMarksThem(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        using var tables = new MarkedTables(new Dice(seed.Value));
        for (int i = 0; i < 120; i++)
        {
            tables.Step(i);
        }
    }
}
