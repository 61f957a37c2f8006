namespace FastNest.Caches;

/// <summary>The size class of pages that a cache holds, known where code is compiled.</summary>
internal interface IGranule
{
    /// <summary>log2 of the bytes that an entry stands for.</summary>
    static abstract int Shift { get; }
}

/// <summary>Pages below 2 MiB.</summary>
internal readonly struct SmallGranule : IGranule
{
    public static int Shift => 12;
}

/// <summary>Pages from 2 MiB on, below 1 GiB.</summary>
internal readonly struct LargeGranule : IGranule
{
    public static int Shift => 21;
}

/// <summary>Pages from 1 GiB on.</summary>
internal readonly struct HugeGranule : IGranule
{
    public static int Shift => 30;
}
