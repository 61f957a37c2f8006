using FastNest.Lanes;

namespace FastNest.Formats;

/// <summary>
/// A page-table format as a type without instances: walkers are generic over it, so that the JIT compiles one walk per
/// format and no call is indirect. Levels count from 1 at the leaves of the smallest pages.
/// </summary>
internal interface IPageTableFormat
{
    /// <summary>The bit of an entry that says that it was used.</summary>
    static abstract ulong Accessed { get; }

    /// <summary>The bit of a leaf that says that it was written through.</summary>
    static abstract ulong Dirty { get; }

    /// <summary>The lowest address bit that indexes a table of a level.</summary>
    static abstract int IndexShift(int level);

    /// <summary>Whether a table of so many levels looks at every bit that is set in the address.</summary>
    static abstract bool Covers(ulong address, int levels);

    /// <summary>Takes apart an entry read at a level.</summary>
    static abstract DecodedEntry Decode(ulong entry, int level);

    /// <summary>The address in an entry that points to a table or maps a page of 4 KiB.</summary>
    static abstract ulong Address { get; }

    /// <summary>
    /// What most entries look like, so that many can be judged at once: at level 1 a page of 4 KiB, above it a table of the
    /// next level. An entry that looks otherwise must be decoded by itself.
    /// </summary>
    /// <param name="level">The level.</param>
    /// <param name="mask">The bits that tell.</param>
    /// <param name="value">What stands in them.</param>
    static abstract void Usual(int level, out ulong mask, out ulong value);

    /// <summary>The bits of an entry that grant rights where they are set.</summary>
    static abstract ulong Grants { get; }

    /// <summary>The bits of an entry that refuse a right where they are set.</summary>
    static abstract ulong Denials { get; }

    /// <summary>What usual entries leave of the permissions gathered so far.</summary>
    static abstract TLanes Rights<TLanes>(TLanes entries)
        where TLanes : struct, ILanes<TLanes>;
}
