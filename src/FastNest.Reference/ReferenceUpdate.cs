namespace FastNest.Reference;

/// <summary>Accessed and Dirty bits that hardware sets in one entry.</summary>
/// <param name="Address">The entry's system physical address.</param>
/// <param name="Bits">The bits to OR in: 5 is Accessed, 6 is Dirty; only bits that are not set yet.</param>
/// <param name="Stage">Whose table it is.</param>
public readonly record struct ReferenceUpdate(ulong Address, ulong Bits, ReferenceStage Stage);
