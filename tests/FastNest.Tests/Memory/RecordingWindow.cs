using FastNest.Memory;

namespace FastNest.Tests.Memory;

/// <summary>An MMIO window that keeps its bytes and writes down every access.</summary>
internal sealed class RecordingWindow(int length) : IMmioWindow
{
    public byte[] Bytes { get; } = new byte[length];

    public List<(ulong Offset, int Size)> Reads { get; } = [];

    public List<(ulong Offset, int Size, ulong Value)> Writes { get; } = [];

    public ulong Read(ulong offset, int size)
    {
        Reads.Add((offset, size));
        ulong value = 0;
        for (int i = size - 1; i >= 0; i--)
        {
            value = value << 8 | Bytes[(int)offset + i];
        }

        return value;
    }

    public void Write(ulong offset, int size, ulong value)
    {
        Writes.Add((offset, size, value));
        for (int i = 0; i < size; i++)
        {
            Bytes[(int)offset + i] = (byte)(value >> (8 * i));
        }
    }
}
