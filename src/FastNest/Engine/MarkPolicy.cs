namespace FastNest.Engine;

/// <summary>Which bits of table entries a stage's walks set.</summary>
[Flags]
internal enum MarkPolicy : byte
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Accessed, in every entry used.</summary>
    Accessed = 1,

    /// <summary>Dirty, in the leaf, on a write.</summary>
    Dirty = 2,
}
