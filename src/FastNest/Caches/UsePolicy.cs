namespace FastNest.Caches;

/// <summary>
/// Whether a cache of finished translations is worth asking. A request that it lacks makes its group of lanes go the long way
/// and be filled in, which costs as much as dozens of walks with the tables known: where those are, nearly all must be hits; where
/// they are not, one in eight. It is judged by windows of batches, has time for as long as its hits grow, and is left alone
/// otherwise, ever longer as long as nothing changes.
/// </summary>
internal sealed class UsePolicy
{
    private const int Window = 16;
    private const int ShortestRest = 511;
    private const int LongestRest = (1 << 13) - 1;

    // Shares, of 1024.
    private const int Whole = 1024;
    private const int NearlyAll = Whole - Whole / 32;
    private const int Some = Whole / 8;
    private const int Growth = Whole / 32;

    private int _rest = ShortestRest;
    private int _resting;
    private int _batches;
    private long _asked;
    private long _hits;
    private long _share = -Growth;
    private bool _walksAreShort = true;

    /// <summary>Whether the next batch is to use the cache.</summary>
    public bool IsWorthwhile() => _resting == 0 || --_resting == 0;

    /// <summary>Tells how a batch fared that did not use it.</summary>
    /// <param name="groups">Groups of lanes.</param>
    /// <param name="known">Those of which all tables were known.</param>
    public void NoteWalks(int groups, int known) => _walksAreShort = 2 * known >= groups;

    /// <summary>Tells how a batch fared that used it.</summary>
    public void Note(int asked, int hits)
    {
        if (asked == 0)
        {
            return;
        }

        _asked += asked;
        _hits += hits;
        if (++_batches < Window)
        {
            return;
        }

        long share = _hits * Whole / _asked;
        bool grows = share >= _share + Growth;
        (_batches, _asked, _hits, _share) = (0, 0, 0, share);
        if (share >= (_walksAreShort ? NearlyAll : Some))
        {
            _rest = ShortestRest;
        }
        else if (!grows)
        {
            _share = -Growth;
            _resting = _rest + 1;
            _rest = Math.Min(2 * _rest + 1, LongestRest);
        }
    }
}
