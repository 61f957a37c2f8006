using FsCheck.Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Random accesses to the MMIO space; PprOvrflwEarlySup, which they leave out, has a test of its own in RegisterTests. To replay,
/// see <see cref="Seed"/>.
/// </summary>
public sealed class MmioProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 200)]
    public void EveryAccessDoesWhatTheReferenceDoes(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        MmioTarget.Play(new(seed.Value), new());
    }
}
