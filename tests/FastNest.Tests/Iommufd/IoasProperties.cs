using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>Random calls of address spaces and accesses, against a model of pages. To replay, see <see cref="Seed"/>.</summary>
[Trait("Suite", "iommufd")]
public sealed class IoasProperties
{
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 60)]
    public void EveryCallAnswersAsTheModelAndDevicesSeeItsPages(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using var play = new IoasPlay(dice);
        for (int step = 0; step < 80; step++)
        {
            play.Step();
        }
    }
}
