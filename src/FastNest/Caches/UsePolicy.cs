namespace FastNest.Caches;

/// <summary>
/// Whether a cache of finished translations is worth asking. Where pages are met again too seldom, asking and filling it costs
/// more than walking with the tables known; then only every sixteenth batch does, to notice when that changes, and ever fewer
/// as long as it does not.
/// </summary>
internal sealed class UsePolicy
{
    private const int ShortestRest = 15;
    private const int LongestRest = 1023;
    private const int LeastShare = 8;

    private int _rest = ShortestRest;
    private int _resting;

    /// <summary>Whether the next batch is to use the cache.</summary>
    public bool IsWorthwhile() => _resting == 0 || --_resting == 0;

    /// <summary>Tells how a batch that used it fared.</summary>
    public void Note(int asked, int hits)
    {
        if (asked == 0)
        {
            return;
        }

        if (hits >= asked / LeastShare)
        {
            _rest = ShortestRest;
            return;
        }

        _resting = _rest + 1;
        _rest = Math.Min(2 * _rest + 1, LongestRest);
    }
}
