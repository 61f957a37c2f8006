using System.Buffers.Binary;

namespace FastNest.Traces;

/// <summary>Numbers and bytes on their way to a stream, in pieces of the buffer's size, with a checksum of all.</summary>
internal sealed class TraceOutput(Stream stream)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _used;
    private long _written;
    private uint _checksum;

    public long Position => _written + _used;

    public void Byte(int value)
    {
        if (_used == _buffer.Length)
        {
            Flush();
        }

        _buffer[_used++] = (byte)value;
    }

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_used == _buffer.Length)
            {
                Flush();
            }

            int count = Math.Min(bytes.Length, _buffer.Length - _used);
            bytes[..count].CopyTo(_buffer.AsSpan(_used));
            _used += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Seven bits to a byte, the lowest first, the top bit set in all but the last.</summary>
    public void Number(ulong value)
    {
        for (; value > 0x7F; value >>= 7)
        {
            Byte((int)(value & 0x7F) | 0x80);
        }

        Byte((int)value);
    }

    public void Signed(long value) => Number(TraceFormat.ZigZag(value));

    /// <summary>A fixed number of bytes, the lowest first.</summary>
    public void Fixed(ulong value, int size)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Bytes(bytes[..size]);
    }

    /// <summary>Writes the checksum of all that was written before.</summary>
    public void Checksum() => Fixed(TraceChecksum.Of(_checksum, _buffer.AsSpan(0, _used)), sizeof(uint));

    public void Flush()
    {
        int count = _used;
        _used = 0;
        _written += count;
        _checksum = TraceChecksum.Of(_checksum, _buffer.AsSpan(0, count));
        stream.Write(_buffer, 0, count);
    }
}
