namespace FastNest.Fuzz.Soak;

/// <summary>Between which versions the answer for each page must lie. One thread raises and settles, any thread reads.</summary>
internal sealed class PageVersions(int pages)
{
    private readonly ulong[] _floors = new ulong[pages];
    private readonly ulong[] _ceilings = new ulong[pages];

    public ulong Floor(int page) => Volatile.Read(ref _floors[page]);

    public ulong Ceiling(int page) => Volatile.Read(ref _ceilings[page]);

    /// <summary>Announces a new version, before it is written anywhere.</summary>
    public ulong Raise(int page)
    {
        ulong version = _ceilings[page] + 1;
        Volatile.Write(ref _ceilings[page], version);
        Interlocked.MemoryBarrier();
        return version;
    }

    /// <summary>Says that no older version may be seen any more.</summary>
    public void Settle(int page, ulong version) => Volatile.Write(ref _floors[page], version);
}
