using FsCheck;
using FsCheck.Fluent;

namespace FastNest.Tests.Properties;

/// <summary>
/// What a random machine grows from. FsCheck prints the failing one, as <c>Seed { Value = 123 }</c>: to replay it, call the
/// property's body with <c>new Seed(123)</c>, or put the pair that FsCheck printed into <c>[Property(Replay = "(1,3)")]</c>.
/// </summary>
public sealed record Seed(int Value)
{
    public static Arbitrary<Seed> Seeds() => Gen.Choose(0, int.MaxValue).Select(static value => new Seed(value)).ToArbitrary();
}
