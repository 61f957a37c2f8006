namespace FastNest.Tests.Machine;

/// <summary>What a piece of work allocates.</summary>
internal static class Allocations
{
    private const int Attempts = 5;

    /// <summary>
    /// The fewest bytes that any of several runs allocated on this thread: what the work itself allocates, it allocates each
    /// time. Single runs beside other tests have been seen to count some KiB that no run alone does.
    /// </summary>
    public static long Least(Action prepare, Action work)
    {
        long least = long.MaxValue;
        for (int i = 0; i < Attempts; i++)
        {
            prepare();
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
