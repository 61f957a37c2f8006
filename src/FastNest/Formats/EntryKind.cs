namespace FastNest.Formats;

/// <summary>What a page-table entry tells a walker to do.</summary>
internal enum EntryKind : byte
{
    /// <summary>Stop: the entry is not present or malformed; the reason says which.</summary>
    Fault,

    /// <summary>Go on in the table it points to.</summary>
    Table,

    /// <summary>The walk ends here with an output address.</summary>
    Leaf,
}
