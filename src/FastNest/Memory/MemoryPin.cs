namespace FastNest.Memory;

/// <summary>Holds a region's backing memory until disposed; disposing twice is harmless.</summary>
public sealed class MemoryPin : IDisposable
{
    private MemoryRegion? _region;

    internal MemoryPin(MemoryRegion region) => _region = region;

    /// <summary>Lets go of the memory; the last pin of a removed region releases it.</summary>
    public void Dispose() => Interlocked.Exchange(ref _region, null)?.Unreference();
}
