using FastNest.Engine;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class StrategyCalibrationTests
{
    [Fact]
    public void TheChoiceRunsHere() => Assert.Contains(StrategyCalibration.Choose(), WalkStrategies.Supported);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("auto")]
    public void WithoutAWishTheMachineDecides(string? value) => Assert.Null(StrategyCalibration.FromEnvironment(value));

    [Theory]
    [InlineData("scalar", WalkStrategy.Scalar)]
    [InlineData("Portable", WalkStrategy.Portable)]
    [InlineData("grouped", WalkStrategy.Grouped)]
    public void TheEnvironmentMayDecide(string value, WalkStrategy strategy) =>
        Assert.Equal(strategy, StrategyCalibration.FromEnvironment(value));

    [Theory]
    [InlineData("fast")]
    [InlineData("2")]
    [InlineData("scalar,portable")]
    public void AnUnknownWishIsRefused(string value)
    {
        string message = Assert.Throws<NotSupportedException>(() => StrategyCalibration.FromEnvironment(value)).Message;
        Assert.Contains(value, message, StringComparison.Ordinal);
        Assert.Contains("Scalar", message, StringComparison.Ordinal);
    }
}
