namespace FastNest.Iommufd;

/// <summary>What the tables of a paging domain look like: AMD v1.</summary>
/// <param name="Levels">The level of the top table, 1 to 6; six translate all 64 bits, four 48.</param>
/// <param name="PageSizes">One bit for each page size in bytes.</param>
internal readonly record struct PagingFormat(int Levels, ulong PageSizes)
{
    public static PagingFormat Default => new(4, HostPageTable.DefaultPageSizes);
}
