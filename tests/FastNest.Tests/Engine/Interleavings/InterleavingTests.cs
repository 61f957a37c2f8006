using FastNest.Engine;
using FastNest.Memory;
using Xunit;
using Xunit.Abstractions;

namespace FastNest.Tests.Engine.Interleavings;

/// <summary>
/// Every way in which the steps of one invalidation can fall between the steps of three batches: between entries of a walk,
/// between a walk and its fill, around a batch's begin and end; the wait follows at growing distances.
/// </summary>
public class InterleavingTests(ITestOutputHelper output)
{
    private static readonly CacheOptions[] Caches =
    [
        new() { ContextEntries = 4, IotlbSets = 4, NestedTlbSets = 16, GuestTableEntries = 16, HostTableEntries = 16, Tags = 64 },
        CacheOptions.Smallest,
        CacheOptions.None with { Tags = 64 },
    ];

    public static TheoryData<int, int, WalkStrategy> Cases
    {
        get
        {
            var data = new TheoryData<int, int, WalkStrategy>();
            for (int change = 0; change < InterleavingWorld.Changes.Length; change++)
            {
                for (int caches = 0; caches < Caches.Length; caches++)
                {
                    data.Add(change, caches, WalkStrategy.Scalar);
                    if (Caches[caches].IotlbSets != 0)
                    {
                        data.Add(change, caches, WalkStrategy.Portable);
                    }
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void NoTranslationThatBeginsAfterTheWaitIsStale(int change, int caches, WalkStrategy strategy)
    {
        string? wrong = Explore(change, caches, strategy, InterleavingWorld.Defect.None, out int explored);
        output.WriteLine($"{InterleavingWorld.Changes[change].Name}: {explored} schedules");
        Assert.Null(wrong);
        Assert.InRange(explored, 100, int.MaxValue);
    }

    /// <summary>What the exploration says would be nothing if it found nothing where something is wrong.</summary>
    [Theory]
    [InlineData(WalkStrategy.Scalar)]
    [InlineData(WalkStrategy.Portable)]
    public void EveryDefectIsFound(WalkStrategy strategy)
    {
        foreach (InterleavingWorld.Defect defect in Enum.GetValues<InterleavingWorld.Defect>().Where(static one => one != InterleavingWorld.Defect.None))
        {
            int found = 0;
            for (int change = 0; change < InterleavingWorld.Changes.Length; change++)
            {
                string? wrong = Explore(change, 0, strategy, defect, out int explored);
                found += wrong is null ? 0 : 1;
                output.WriteLine($"{defect}: {wrong ?? "not found"} ({explored} schedules)");
            }

            Assert.True(found >= InterleavingWorld.Changes.Length / 2, $"{defect}: found with {found} changes");
        }
    }

    /// <summary>Tries every schedule until one goes wrong.</summary>
    private static string? Explore(int change, int caches, WalkStrategy strategy, InterleavingWorld.Defect defect, out int explored)
    {
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 0x10_0000);
        explored = 0;
        bool longer = true;
        for (int write = 0; longer; write++)
        {
            longer = false;
            for (int publish = write; ; publish++)
            {
                bool inRange = false;
                for (int wait = publish; ; wait += 1 + (wait - publish) / 2)
                {
                    using var world = new InterleavingWorld(
                        memory, InterleavingWorld.Changes[change], Caches[caches], strategy, [write, publish, wait], defect);
                    explored++;
                    if (world.Run() is { } wrong)
                    {
                        return $"{InterleavingWorld.Changes[change].Name}, schedule {write}, {publish}, {wait}: {wrong}";
                    }

                    if (wait >= world.Yields)
                    {
                        break;
                    }

                    inRange = true;
                }

                if (!inRange)
                {
                    break;
                }

                longer = true;
            }
        }

        return null;
    }
}
