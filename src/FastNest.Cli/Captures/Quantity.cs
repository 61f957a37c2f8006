using System.Globalization;

namespace FastNest.Cli.Captures;

/// <summary>Numbers as captures and users write them.</summary>
internal static class Quantity
{
    /// <summary>Reads <c>0x</c> and one to sixteen hexadecimal digits.</summary>
    public static bool TryHex(ReadOnlySpan<char> text, out ulong value)
    {
        value = 0;
        return text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            && ulong.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>Reads a hexadecimal number with <c>0x</c>, or a decimal one.</summary>
    public static bool TryAny(ReadOnlySpan<char> text, out ulong value) =>
        TryHex(text, out value) || ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    public static bool Fits(ulong value, int bits) => bits == 64 || value >> bits == 0;
}
