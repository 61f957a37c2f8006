using FastNest.Caches;

namespace FastNest.Walks;

/// <summary>What the walks of one stage have in common.</summary>
/// <param name="Levels">The level of the top tables.</param>
/// <param name="TableMarks">Bits that must be set in entries that lead on, as setting them is not done side by side.</param>
/// <param name="LeafMarks">Bits that must be set in entries of pages.</param>
/// <param name="KeptMarks">Bits that must be set in entries of large pages to be kept.</param>
internal readonly record struct LaneStage(byte Levels, ulong TableMarks, ulong LeafMarks, ulong KeptMarks)
{
    /// <summary>Set, for a while, in a <see cref="PackedPage"/> that must not be kept.</summary>
    public const ulong Unkept = 1UL << 52;

    /// <summary>Of an address moved down so that an index counts entries of eight bytes.</summary>
    public const ulong IndexMask = 511 << 3;

    /// <summary>log2 of what a table of level 1 maps: the granule in which tables and large pages are kept.</summary>
    public const int GranuleShift = 21;

    public const ulong GranuleMask = (1 << GranuleShift) - 1;
}
