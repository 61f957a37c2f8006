using FastNest.Memory;

namespace FastNest.Iommufd.AmdHost;

/// <summary>A part of an MMIO window that a VM has until it is closed: then it reads 0 and takes nothing any more.</summary>
/// <param name="window">The window.</param>
/// <param name="start">Where the part begins.</param>
/// <param name="length">Its bytes.</param>
internal sealed class GuestWindow(IMmioWindow window, ulong start, ulong length) : IMmioWindow
{
    private volatile bool _closed;

    public ulong Length => length;

    public ulong Read(ulong offset, int size) => _closed || offset >= length ? 0 : window.Read(start + offset, size);

    public void Write(ulong offset, int size, ulong value)
    {
        if (!_closed && offset < length)
        {
            window.Write(start + offset, size, value);
        }
    }

    public void Close() => _closed = true;
}
