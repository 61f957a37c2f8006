using System.Buffers.Binary;

namespace FastNest.Cli.Captures;

/// <summary>The sixteen bytes of a command as two quadwords.</summary>
internal readonly record struct CommandBytes(ulong Low, ulong High)
{
    private const int CodeShift = 60;
    private const ulong CompletionWait = 1;
    private const ulong StoreBit = 1;
    private const ulong StoreAddress = 0x000F_FFFF_FFFF_FFF8;

    /// <summary>Where the command stores its data when done; null when it stores nothing.</summary>
    public ulong? Store => Low >> CodeShift == CompletionWait && (Low & StoreBit) != 0 ? Low & StoreAddress : null;

    /// <summary>What it stores.</summary>
    public ulong StoreData => High;

    /// <summary>Reads bytes in memory order; null when the text is not that.</summary>
    public static CommandBytes? FromHex(string text)
    {
        if (text.Length != 32 || !text.All(char.IsAsciiHexDigit))
        {
            return null;
        }

        ReadOnlySpan<byte> bytes = Convert.FromHexString(text);
        return new(BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]));
    }

    public void CopyTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Low);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], High);
    }
}
