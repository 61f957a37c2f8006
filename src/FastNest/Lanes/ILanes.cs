namespace FastNest.Lanes;

/// <summary>
/// Several 64-bit values side by side, as an instruction set handles them. Batches are walked in code that is generic over
/// this, so that the JIT compiles one walk per instruction set and no call is indirect.
/// </summary>
/// <typeparam name="TSelf">The lanes themselves.</typeparam>
internal interface ILanes<TSelf>
    where TSelf : struct, ILanes<TSelf>
{
    /// <summary>How many values there are, at most 8.</summary>
    static abstract int Count { get; }

    /// <summary>Whether this machine has the instructions.</summary>
    static abstract bool IsSupported { get; }

    static abstract TSelf operator &(TSelf left, TSelf right);

    static abstract TSelf operator |(TSelf left, TSelf right);

    static abstract TSelf operator ^(TSelf left, TSelf right);

    static abstract TSelf operator ~(TSelf value);

    static abstract TSelf operator +(TSelf left, TSelf right);

    static abstract TSelf operator -(TSelf left, TSelf right);

    static abstract TSelf operator <<(TSelf value, int count);

    static abstract TSelf operator >>>(TSelf value, int count);

    /// <summary>What is set in the first and, besides, in both of the others.</summary>
    static virtual TSelf OrAnd(TSelf value, TSelf left, TSelf right) => value | (left & right);

    /// <summary>What is set in the first and, besides, in the second but not in the third.</summary>
    static virtual TSelf OrAndNot(TSelf value, TSelf left, TSelf right) => value | (left & ~right);

    /// <summary>What is set in the first and in one of the others.</summary>
    static virtual TSelf AndOr(TSelf value, TSelf left, TSelf right) => value & (left | right);

    static abstract TSelf All(ulong value);

    static abstract TSelf Load(ref readonly ulong source, int index);

    static abstract void Store(TSelf value, ref ulong destination, int index);

    /// <summary>One bit per lane: where both are equal.</summary>
    static abstract uint Equal(TSelf left, TSelf right);

    /// <summary>Whether no bit is set in any lane.</summary>
    static abstract bool IsZero(TSelf value);

    /// <summary>One bit per lane: where the left is smaller.</summary>
    static abstract uint Less(TSelf left, TSelf right);

    /// <summary>The smaller of each two lanes.</summary>
    static abstract TSelf Min(TSelf left, TSelf right);

    /// <summary>Takes each lane from one value where its bit is set, else from the other.</summary>
    static abstract TSelf Select(uint bits, TSelf set, TSelf clear);

    /// <summary>Takes each bit from one value where the mask's is set, else from the other.</summary>
    static abstract TSelf Blend(TSelf mask, TSelf set, TSelf clear);

    /// <summary>Loads from host memory, each lane in one atomic access; 0 where the bit is not set.</summary>
    static abstract TSelf Gather(TSelf pointers, uint bits);

    /// <summary>The same for all lanes, by pointers that stand in memory.</summary>
    static abstract TSelf GatherEach(ref ulong pointers, int index);

    /// <summary>Has the cache lines brought near that pointers point into, if the machine can; they may point anywhere.</summary>
    static abstract void Prefetch(TSelf pointers);

    /// <summary>Loads sixteen bytes per lane, from so many bytes behind the start of a table.</summary>
    static abstract void GatherPairs(nint table, TSelf offsets, out TSelf first, out TSelf second);

    /// <summary>Loads pairs that stand side by side.</summary>
    static abstract void LoadPairs(ref readonly ulong source, int pair, out TSelf first, out TSelf second);

    /// <summary>Stores the lanes whose bit is set, side by side; up to <see cref="Count"/> values are written over.</summary>
    static abstract void Compress(TSelf value, uint bits, ref ulong destination, int index);

    /// <summary>Stores the lanes of two values as pairs, interleaved.</summary>
    static abstract void StorePairs(TSelf first, TSelf second, ref ulong destination, int pair);
}
