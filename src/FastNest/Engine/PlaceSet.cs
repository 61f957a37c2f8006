using System.Numerics;
using System.Runtime.CompilerServices;
using FastNest.Walks;

namespace FastNest.Engine;

/// <summary>Places in a batch, in ascending order, as bits of memory that is the caller's.</summary>
internal readonly ref struct PlaceSet
{
    /// <summary>How many words hold every place.</summary>
    public const int Words = LaneCount.Maximum / 64;

    private readonly Span<ulong> _words;

    /// <param name="words">At least <see cref="Words"/> for a whole batch; cleared.</param>
    public PlaceSet(Span<ulong> words)
    {
        words.Clear();
        _words = words;
    }

    public bool IsEmpty => !_words.ContainsAnyExcept(0UL);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int place) => _words[place >> 6] |= 1UL << (place & 63);

    /// <summary>Takes the first place out.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryTake(out int place)
    {
        for (int word = 0; word < _words.Length; word++)
        {
            if (_words[word] != 0)
            {
                place = (word << 6) + BitOperations.TrailingZeroCount(_words[word]);
                _words[word] &= _words[word] - 1;
                return true;
            }
        }

        place = 0;
        return false;
    }

    /// <summary>Takes every place out, into another set.</summary>
    public void MoveTo(PlaceSet other)
    {
        _words.CopyTo(other._words);
        _words.Clear();
    }
}
