namespace FastNest.Iommufd;

/// <summary>One bit per page of a range of addresses, the lowest bit of the first byte for its first page.</summary>
/// <param name="bits">The bitmap, or null to drop what is set.</param>
/// <param name="iova">The address that bit 0 stands for.</param>
/// <param name="pageShift">Log2 of the bytes that one bit stands for.</param>
internal readonly struct DirtyBitmap(Memory<byte> bits, ulong iova, int pageShift)
{
    /// <summary>Takes every bit and keeps none.</summary>
    public static DirtyBitmap None => new(default, 0, 12);

    /// <summary>Sets the bits of all pages that the addresses from first to last touch.</summary>
    public void Set(ulong first, ulong last)
    {
        Span<byte> bytes = bits.Span;
        if (bytes.IsEmpty)
        {
            return;
        }

        ulong from = (first - iova) >> pageShift;
        ulong to = (last - iova) >> pageShift;
        for (; from <= to && from % 8 != 0; from++)
        {
            bytes[(int)(from / 8)] |= (byte)(1 << (int)(from % 8));
        }

        for (; from + 7 <= to; from += 8)
        {
            bytes[(int)(from / 8)] = 0xFF;
        }

        for (; from <= to; from++)
        {
            bytes[(int)(from / 8)] |= (byte)(1 << (int)(from % 8));
        }
    }
}
