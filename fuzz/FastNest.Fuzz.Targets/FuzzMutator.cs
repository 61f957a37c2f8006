namespace FastNest.Fuzz.Targets;

/// <summary>Makes inputs: new ones, and ones that differ a little from those that were worth keeping.</summary>
internal sealed class FuzzMutator(int seed)
{
    private const int LongestNew = 4096;
    private const int Longest = 1 << 16;

    private static readonly byte[] Telling = [0, 1, 2, 7, 8, 0x0F, 0x10, 0x7F, 0x80, 0xFE, 0xFF];

    private readonly Random _random = new(seed);

    public byte[] Next(IReadOnlyList<byte[]> kept)
    {
        if (kept.Count == 0 || _random.Next(4) == 0)
        {
            var made = new byte[_random.Next(1, LongestNew)];
            _random.NextBytes(made);
            return made;
        }

        byte[] input = [.. kept[_random.Next(kept.Count)]];
        for (int i = _random.Next(1, 5); i > 0 && input.Length > 0; i--)
        {
            input = Change(input, kept);
        }

        return input;
    }

    private byte[] Change(byte[] input, IReadOnlyList<byte[]> kept)
    {
        int at = _random.Next(input.Length);
        switch (_random.Next(7))
        {
            case 0:
                input[at] ^= (byte)(1 << _random.Next(8));
                return input;
            case 1:
                input[at] = Telling[_random.Next(Telling.Length)];
                return input;
            case 2:
                _random.NextBytes(input.AsSpan(at, Math.Min(8, input.Length - at)));
                return input;
            case 3:
                return [.. input.AsSpan(0, at), .. input.AsSpan(Math.Min(input.Length, at + _random.Next(1, 32)))];
            case 4:
                byte[] added = new byte[_random.Next(1, 32)];
                _random.NextBytes(added);
                return input.Length + added.Length > Longest ? input : [.. input.AsSpan(0, at), .. added, .. input.AsSpan(at)];
            case 5:
                byte[] other = kept[_random.Next(kept.Count)];
                return [.. input.AsSpan(0, at), .. other.AsSpan(Math.Min(at, other.Length))];
            default:
                int length = Math.Min(_random.Next(1, 64), input.Length - at);
                int to = _random.Next(input.Length - length + 1);
                input.AsSpan(at, length).ToArray().CopyTo(input.AsSpan(to));
                return input;
        }
    }
}
