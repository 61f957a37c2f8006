using FastNest.Requests;

namespace FastNest.Walks;

/// <summary>Where a walk through one stage ended well.</summary>
/// <param name="Output">The page's output address, aligned to its size.</param>
/// <param name="Shift">log2 of its size.</param>
/// <param name="Rights">What every entry on the way grants together.</param>
/// <param name="Withheld">Of these, what a cache may not grant: writing, while the Dirty bit is still to be set.</param>
internal readonly record struct WalkLeaf(ulong Output, byte Shift, Access Rights, Access Withheld = Access.None)
{
    /// <summary>The output address of an input address within the page.</summary>
    public ulong At(ulong input) => Shift >= 64 ? input : Output | (input & ((1UL << Shift) - 1));
}
