using System.Buffers.Binary;

namespace FastNest.Reference;

/// <summary>Sparse memory of 4 KiB pages. A page exists once it was added; everything else is a read or write error.</summary>
public sealed class ReferenceMemory : IReferenceMemory
{
    /// <summary>The size of a page in bytes.</summary>
    public const int PageSize = 4096;

    private readonly Dictionary<ulong, byte[]> _pages = [];

    /// <summary>Makes every page exist that the range touches; new pages are zero, old ones stay.</summary>
    /// <param name="address">The first byte.</param>
    /// <param name="length">The number of bytes, at least 1.</param>
    public void Add(ulong address, ulong length = PageSize)
    {
        ulong last = (address + length - 1) / PageSize;
        for (ulong page = address / PageSize; page <= last; page++)
            _pages.TryAdd(page, new byte[PageSize]);
    }

    /// <summary>Stores bytes, adding the pages they lie in.</summary>
    /// <param name="address">The address of the first byte, of any alignment.</param>
    /// <param name="bytes">What to store.</param>
    public void Load(ulong address, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            ulong at = address + (ulong)i;
            if (!_pages.TryGetValue(at / PageSize, out byte[]? page))
                _pages.Add(at / PageSize, page = new byte[PageSize]);
            page[at % PageSize] = bytes[i];
        }
    }

    /// <summary>Stores a quadword, adding its page.</summary>
    /// <param name="address">A multiple of 8.</param>
    /// <param name="value">What to store.</param>
    public void Put(ulong address, ulong value)
    {
        Add(address, 8);
        TryWrite64(address, value);
    }

    /// <inheritdoc/>
    public bool TryRead64(ulong address, out ulong value)
    {
        RequireAligned(address);
        bool exists = _pages.TryGetValue(address / PageSize, out byte[]? page);
        value = exists ? BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan((int)(address % PageSize))) : 0;
        return exists;
    }

    /// <inheritdoc/>
    public bool TryWrite64(ulong address, ulong value)
    {
        RequireAligned(address);
        if (!_pages.TryGetValue(address / PageSize, out byte[]? page))
            return false;
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan((int)(address % PageSize)), value);
        return true;
    }

    private static void RequireAligned(ulong address)
    {
        if (address % 8 != 0)
            throw new ArgumentException($"0x{address:x} is not a multiple of 8", nameof(address));
    }
}
