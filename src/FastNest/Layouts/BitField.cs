using System.Runtime.CompilerServices;

namespace FastNest.Layouts;

/// <summary>One field of a structure made of 64-bit words: where it stands and what the specification calls it.</summary>
internal readonly struct BitField
{
    private BitField(string name, int word, int high, int low)
    {
        Name = name;
        Word = word;
        Low = low;
        Width = high - low + 1;
    }

    public string Name { get; }

    /// <summary>Which 64-bit word of the structure, from 0.</summary>
    public int Word { get; }

    /// <summary>The lowest bit within the word.</summary>
    public int Low { get; }

    public int Width { get; }

    public ulong Mask => Ones << Low;

    private ulong Ones => ulong.MaxValue >> (64 - Width);

    /// <summary>Declares a field by the bit numbers of the whole structure, as specifications give them.</summary>
    public static BitField Bits(int high, int low, [CallerMemberName] string name = "")
    {
        if (high < low || high / 64 != low / 64)
        {
            throw new ArgumentException($"field {name}: bits {high}:{low} do not lie in one 64-bit word");
        }

        return new(name, low / 64, high % 64, low % 64);
    }

    /// <summary>Declares a field of one bit.</summary>
    public static BitField Bit(int bit, [CallerMemberName] string name = "") => Bits(bit, bit, name);

    /// <summary>The field's value, shifted down.</summary>
    public ulong Get(ulong word) => (word >> Low) & Ones;

    public bool IsSet(ulong word) => (word & Mask) != 0;

    /// <summary>The field's bits left in place: an address field gives the address.</summary>
    public ulong InPlace(ulong word) => word & Mask;

    /// <summary>The word with the field replaced; bits of the value that do not fit are dropped.</summary>
    public ulong With(ulong word, ulong value) => (word & ~Mask) | ((value & Ones) << Low);

    /// <summary>A value in the field's place, other bits zero.</summary>
    public ulong Of(ulong value) => With(0, value);
}
