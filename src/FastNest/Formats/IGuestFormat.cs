namespace FastNest.Formats;

/// <summary>A first-stage format, whose addresses may be sign-extended.</summary>
internal interface IGuestFormat : IPageTableFormat
{
    /// <summary>Whether the bits above the table's reach all repeat its topmost bit, as processors demand.</summary>
    static abstract bool IsCanonical(ulong address, int levels);
}
