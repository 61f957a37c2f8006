using System.Buffers.Binary;

namespace FastNest.Traces;

/// <summary>Writes memory as words, each by its difference from the likely one.</summary>
internal sealed class WordsEncoder(TraceOutput output, TraceContext context)
{
    /// <summary>Whether words take less room than bytes.</summary>
    public bool IsShorter(ulong address, ReadOnlySpan<byte> bytes)
    {
        // Close enough: the words of a record may share a place with each other.
        int length = 0;
        for (int i = 0; i < bytes.Length; i += sizeof(ulong))
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]);
            length += TraceFormat.LengthOf(WordCode.Of(word, context.LikelyWord(address + (ulong)i)));
        }

        return length < bytes.Length;
    }

    public void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        output.Signed((long)(address - (context.MemoryEnd & ~7UL)) >> 3);
        output.Number((ulong)bytes.Length / sizeof(ulong));
        for (int i = 0; i < bytes.Length; i += sizeof(ulong))
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes[i..]);
            ref ulong likely = ref context.LikelyWord(address + (ulong)i);
            output.Number(WordCode.Of(word, likely));
            likely = word == 0 ? likely : word;
        }
    }
}
