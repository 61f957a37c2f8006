namespace FastNest.Engine;

/// <summary>A run of device addresses that lies in one piece of physical addresses.</summary>
/// <param name="Address">The first physical address.</param>
/// <param name="Length">Bytes, not zero.</param>
public readonly record struct TranslatedRun(ulong Address, ulong Length);
