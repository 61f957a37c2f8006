using FastNest.Layouts;

namespace FastNest.Amd.Registers;

/// <summary>One row of the register table.</summary>
/// <param name="Name">As the specification calls it.</param>
/// <param name="Offset">Bytes from the start of the MMIO space.</param>
/// <param name="Width">4 or 8 bytes.</param>
/// <param name="Reset">The value after reset.</param>
/// <param name="Writable">The bits that software may change.</param>
/// <param name="WriteOneToClear">The bits that writing a one clears.</param>
/// <param name="Effect">What a write sets going.</param>
/// <param name="Feature">The feature without which the register reads 0 and ignores writes (reading 59).</param>
/// <param name="LockedBy">The run bit of Status during which writes are ignored (readings 42, 43).</param>
/// <param name="SecondFeature">Another feature without which it is not there either.</param>
internal sealed record Register(
    string Name,
    int Offset,
    int Width,
    ulong Reset,
    ulong Writable,
    ulong WriteOneToClear,
    RegisterEffect Effect,
    BitField? Feature = null,
    BitField? LockedBy = null,
    BitField? SecondFeature = null)
{
    /// <summary>Whether the register is there at all.</summary>
    public bool IsOffered(IommuFeatures features) =>
        (Feature is not { } first || features.Has(first)) && (SecondFeature is not { } second || features.Has(second));
}
