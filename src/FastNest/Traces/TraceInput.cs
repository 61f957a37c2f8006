using System.Buffers.Binary;

namespace FastNest.Traces;

/// <summary>Numbers and bytes from a stream of which nothing is believed.</summary>
internal sealed class TraceInput(Stream stream)
{
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _next;
    private int _filled;
    private long _before;
    private uint _checksum;

    public long Position => _before + _next;

    public bool IsAtEnd => _next == _filled && !TryFill();

    public byte Byte(string field) => IsAtEnd
        ? throw new TraceException(Position, field, "expected another byte, the trace ends here")
        : _buffer[_next++];

    /// <summary>A byte of at most a limit.</summary>
    public byte Byte(string field, int limit)
    {
        long at = Position;
        byte value = Byte(field);
        return value <= limit ? value : throw AboveLimit(at, field, value, (ulong)limit);
    }

    public ulong Number(string field, ulong limit = ulong.MaxValue)
    {
        long at = Position;
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte part = Byte(field);
            if (shift == 63 && part > 1)
            {
                throw new TraceException(at, field, "expected a number of at most 64 bits, found more");
            }

            value |= (ulong)(part & 0x7F) << shift;
            if (part <= 0x7F)
            {
                if (part == 0 && shift != 0)
                {
                    throw new TraceException(at, field, "expected a number without leading zeroes");
                }

                return value <= limit ? value : throw AboveLimit(at, field, value, limit);
            }
        }
    }

    public long Signed(string field) => TraceFormat.UnZigZag(Number(field));

    public ulong Fixed(string field, int size)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        Bytes(field, bytes[..size]);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void Bytes(string field, Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (IsAtEnd)
            {
                throw new TraceException(Position, field, $"expected {bytes.Length} more bytes, the trace ends here");
            }

            int count = Math.Min(bytes.Length, _filled - _next);
            _buffer.AsSpan(_next, count).CopyTo(bytes);
            _next += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Reads a checksum, which must be that of all that was read before.</summary>
    public void Checksum(string field)
    {
        long at = Position;
        uint found = TraceChecksum.Of(_checksum, _buffer.AsSpan(0, _next));
        ulong expected = Fixed(field, sizeof(uint));
        if (found != expected)
        {
            throw new TraceException(at, field, $"expected the checksum of the bytes before, 0x{found:x8}, found 0x{expected:x8}: the trace is damaged");
        }
    }

    private static TraceException AboveLimit(long at, string field, ulong value, ulong limit) =>
        new(at, field, $"expected at most 0x{limit:x}, found 0x{value:x}");

    private bool TryFill()
    {
        _checksum = TraceChecksum.Of(_checksum, _buffer.AsSpan(0, _filled));
        _before += _filled;
        _next = 0;
        _filled = 0;
        _filled = stream.Read(_buffer, 0, _buffer.Length);
        return _filled != 0;
    }
}
