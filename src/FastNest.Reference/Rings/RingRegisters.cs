using FastNest.Reference.Registers;

namespace FastNest.Reference.Rings;

/// <summary>Base, head and tail register of a ring of 16-byte entries.</summary>
internal sealed class RingRegisters(RegisterFile registers, ulong baseOffset, ulong headOffset, ulong tailOffset)
{
    public ulong BaseOffset => baseOffset;

    public ulong HeadOffset => headOffset;

    public ulong TailOffset => tailOffset;

    public ulong Base => registers.Get(baseOffset) & Bits.Mask(51, 12);

    public bool LengthIsLegal => LengthCode >= 8;

    /// <summary>The ring's size in bytes: 4 KiB to 512 KiB for a legal length code.</summary>
    public ulong Bytes => 16UL << LengthCode;

    public ulong Head
    {
        get => Reduce(registers.Get(headOffset));
        set => registers.Set(headOffset, value);
    }

    public ulong Tail
    {
        get => Reduce(registers.Get(tailOffset));
        set => registers.Set(tailOffset, value);
    }

    public ulong After(ulong pointer) => (pointer + 16) % Bytes;

    private int LengthCode => (int)Bits.Field(registers.Get(baseOffset), 59, 56);

    // reading 44
    private ulong Reduce(ulong pointer) => LengthIsLegal ? pointer & (Bytes - 1) : pointer;
}
