namespace FastNest.Engine;

/// <summary>How a port walks batches. Answers, faults and events are the same for all; only the time they take differs.</summary>
public enum WalkStrategy
{
    /// <summary>What a short calibration at the first use finds fastest; the environment variable FASTNEST_STRATEGY overrides it.</summary>
    Auto,

    /// <summary>One request after the other.</summary>
    Scalar,

    /// <summary>Taking turns, each walk prefetching what it needs next, in single instructions.</summary>
    Grouped,

    /// <summary>Side by side in whatever vectors the machine has, with single loads: for machines without fast gathers.</summary>
    Portable,

    /// <summary>Side by side with AVX2 gathers.</summary>
    Avx2,

    /// <summary>Side by side with 512-bit vectors around AVX2 gathers.</summary>
    Avx512,
}
