namespace FastNest.Tests.Properties;

/// <summary>Random choices.</summary>
internal sealed class Dice(int seed)
{
    private readonly Random _random = new(seed);

    public bool OneIn(int count) => _random.Next(count) == 0;

    public int Below(int limit) => _random.Next(limit);

    /// <summary>Both ends included.</summary>
    public int Between(int low, int high) => _random.Next(low, high + 1);

    public ulong Word() => (ulong)_random.NextInt64(long.MinValue, long.MaxValue);

    public ulong Bit(int low, int high) => 1UL << Between(low, high);

    /// <summary>A random value of a field.</summary>
    public ulong Field(int high, int low) => (Word() & (ulong.MaxValue >> (63 - high + low))) << low;

    public T Of<T>(params ReadOnlySpan<T> choices) => choices[_random.Next(choices.Length)];

    public T From<T>(IReadOnlyList<T> choices) => choices[_random.Next(choices.Count)];
}
