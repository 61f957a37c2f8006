using System.Buffers.Binary;

namespace FastNest.Fuzz.Targets;

/// <summary>Choices: random ones, or those that bytes make, so that a fuzzer that changes a byte changes a choice.</summary>
internal sealed class Dice
{
    private readonly Random? _random;
    private readonly ReadOnlyMemory<byte> _bytes;
    private int _taken;
    private ulong _beyond = 0x9E37_79B9_7F4A_7C15;

    public Dice(int seed) => _random = new(seed);

    /// <summary>Choices that bytes make, and where they end always the same ones.</summary>
    public Dice(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    public bool OneIn(int count) => Below(count) == 0;

    public int Below(int limit) => _random is { } random
        ? random.Next(limit)
        : (int)(Take(limit <= 1 << 8 ? 1 : limit <= 1 << 16 ? 2 : 4) % (uint)limit);

    /// <summary>Both ends included.</summary>
    public int Between(int low, int high) => low + Below(high + 1 - low);

    public ulong Word() => _random is { } random ? (ulong)random.NextInt64(long.MinValue, long.MaxValue) : Take(8);

    public ulong Bit(int low, int high) => 1UL << Between(low, high);

    /// <summary>A random value of a field.</summary>
    public ulong Field(int high, int low) => (Word() & (ulong.MaxValue >> (63 - high + low))) << low;

    public T Of<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];

    public T From<T>(IReadOnlyList<T> choices) => choices[Below(choices.Count)];

    private ulong Take(int count)
    {
        if (_bytes.Length - _taken < count)
        {
            _taken = _bytes.Length;
            _beyond ^= _beyond << 13;
            _beyond ^= _beyond >> 7;
            _beyond ^= _beyond << 17;
            return _beyond >> (64 - count * 8);
        }

        Span<byte> word = stackalloc byte[sizeof(ulong)];
        _bytes.Span.Slice(_taken, count).CopyTo(word);
        _taken += count;
        return BinaryPrimitives.ReadUInt64LittleEndian(word);
    }
}
