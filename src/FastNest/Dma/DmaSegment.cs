namespace FastNest.Dma;

/// <summary>One piece of a scatter-gather list.</summary>
/// <param name="Iova">Its first device address.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct DmaSegment(ulong Iova, int Length);
