using FastNest.Engine;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Engine.Interleavings;

/// <summary>
/// Every way in which the steps of one invalidation can fall between the steps of three batches: between entries of a walk,
/// between a walk and its fill, around a batch's begin and end; the wait follows at growing distances.
/// </summary>
public class InterleavingTests
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
        using var memory = new GuestPhysicalSpace();
        memory.AddOwned(0, 0x10_0000);
        int explored = 0;
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
                        memory, InterleavingWorld.Changes[change], Caches[caches], strategy, [write, publish, wait]);
                    string? wrong = world.Run();
                    Assert.True(wrong is null, $"{InterleavingWorld.Changes[change].Name}, schedule {write}, {publish}, {wait}: {wrong}");
                    explored++;
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

        Assert.InRange(explored, 100, int.MaxValue);
    }
}
