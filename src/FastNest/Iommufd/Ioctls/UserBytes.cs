using System.Buffers;

namespace FastNest.Iommufd.Ioctls;

/// <summary>
/// A driver's structure in a process's memory, of which only the length is known before it is looked at: a driver judges form and
/// length first, and then a bad pointer.
/// </summary>
/// <param name="process">The process.</param>
/// <param name="address">Where the structure stands.</param>
/// <param name="length">Bytes as the caller says; any number, longer than <see cref="Longest"/> is as good as that.</param>
internal sealed class UserBytes(UserAddressSpace process, ulong address, uint length) : MemoryManager<byte>
{
    /// <summary>No driver's structure is that long.</summary>
    public const int Longest = 1 << 16;

    private readonly int _length = (int)Math.Min(length, Longest);
    private byte[]? _bytes;

    /// <summary>The structure, read when it is first looked at.</summary>
    public override Memory<byte> Memory => CreateMemory(_length);

    /// <exception cref="IommufdException">EFAULT: it is not there.</exception>
    public override Span<byte> GetSpan()
    {
        if (_bytes is null)
        {
            var bytes = new byte[_length];
            UserMemory.Read(process, address, bytes);
            _bytes = bytes;
        }

        return _bytes;
    }

    /// <summary>Writes back what was changed.</summary>
    /// <exception cref="IommufdException">EFAULT: the process may not write there.</exception>
    public void WriteBack()
    {
        if (_bytes is not null)
        {
            UserMemory.Write(process, address, _bytes);
        }
    }

    /// <summary>Not offered: nothing here hands memory to native code.</summary>
    public override MemoryHandle Pin(int elementIndex = 0) => throw new NotSupportedException();

    public override void Unpin() => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
    }
}
