using System.Numerics;

namespace FastNest.Fuzz.Targets;

/// <summary>What runs came to: counts, and features, of which a run that shows a new one is worth keeping.</summary>
internal sealed class FuzzTally
{
    private const int Slots = 1 << 16;
    private const ulong Prime = 0x0000_0100_0000_01B3;

    private readonly ulong[] _features = new ulong[Slots / 64];

    /// <summary>Translations that were compared.</summary>
    public long Translations { get; set; }

    /// <summary>Other operations: accesses, commands, records.</summary>
    public long Operations { get; set; }

    /// <summary>How many features were ever noted, but for those that fall together.</summary>
    public int Features { get; private set; }

    /// <summary>A number that any other course of events would almost certainly not have come to.</summary>
    public ulong Trace { get; private set; } = 0xCBF2_9CE4_8422_2325;

    /// <summary>Notes what happened: whatever distinguishes it from other happenings, in as few values as tell.</summary>
    public void Note(ulong feature)
    {
        Trace = (Trace ^ feature) * Prime;
        ulong hash = feature * 0x9E37_79B9_7F4A_7C15;
        var slot = (int)(hash >> (64 - BitOperations.Log2(Slots)));
        ulong bit = 1UL << (slot & 63);
        if ((_features[slot >> 6] & bit) == 0)
        {
            _features[slot >> 6] |= bit;
            Features++;
        }
    }

    /// <summary>Notes a refusal by the words of its message, without the values in it.</summary>
    public void Note(string message)
    {
        ulong hash = 0;
        foreach (Range word in message.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> letters = message.AsSpan(word);
            for (int i = 0; i < letters.Length && !letters.ContainsAnyInRange('0', '9'); i++)
            {
                hash = (hash ^ letters[i]) * Prime;
            }
        }

        Note(hash);
    }
}
