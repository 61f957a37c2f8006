using System.Diagnostics;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Captures;
using Xunit;
using static FastNest.Tests.Reference.HistoryRig;

namespace FastNest.Tests.Reference;

/// <summary>What holds for every history.</summary>
public class HistoryPropertyTests
{
    private static readonly RequestKind[] Kinds = [RequestKind.Untranslated, RequestKind.Translation, RequestKind.Translated];

    public static TheoryData<string> Folders => new(CaptureFolder.Names);

    [Theory]
    [MemberData(nameof(Folders))]
    public void AStateThatNeverChangedAllowsTheReferencesAnswerAlone(string name)
    {
        CaptureFolder folder = CaptureFolder.Open(name);
        ReferenceMemory memory = new();
        foreach ((ulong address, byte[] bytes) in folder.Memory())
            memory.Load(address, bytes);
        ReferenceHistory history = new(memory, 0, 0);
        foreach ((ulong offset, ulong value) in folder.Registers().Where(r => r.Key != 0x18))
            history.RestoreRegister(offset, value);
        history.RestoreRegister(0x18, folder.Registers()[0x18]);
        ReferenceIommu iommu = CaptureTests.Restore(folder);
        foreach (TranslationRequest request in folder.Requests().Select(r => r.Request))
        {
            foreach (RequestKind kind in Kinds)
            {
                TranslationRequest asked = request with { Kind = kind };
                Assert.Equal([ReferenceAllowedAnswer.Of(iommu.Translate(asked))], history.Allowed(asked));
            }
        }
    }

    /// <summary>
    /// The reference on any whole state since the last completed INVALIDATE_IOMMU_ALL is allowed, and directly after one the
    /// present state alone, with Accessed and Dirty bits kept by both stages.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void EveryWholeStateSinceTheLastInvalidationIsAllowed(int seed)
    {
        Random random = new(seed);
        ulong control = (Rig.On | 1UL << 58 | 3UL << 46) & ~(1UL << 48 | 1UL << 54);
        HistoryRig rig = new(control);
        List<ReferenceIommu> states = [Snapshot(rig, control)];
        int stale = 0, cleared = 0;
        for (int step = 0; step < 60; step++)
        {
            if (random.Next(12) == 0)
            {
                rig.Complete(InvalidateAll);
                states = [Snapshot(rig, control)];
                cleared++;
            }
            else
            {
                Change(rig, random);
                states.Add(Snapshot(rig, control));
            }

            for (int i = 0; i < 4; i++)
            {
                TranslationRequest request = AnyRequest(random);
                IReadOnlyCollection<ReferenceAllowedAnswer> allowed = rig.History.Allowed(request);
                foreach (ReferenceIommu state in states)
                {
                    ReferenceAllowedAnswer answer = ReferenceAllowedAnswer.Of(state.Translate(request));
                    Assert.Contains(answer, allowed);
                    stale += answer == ReferenceAllowedAnswer.Of(states[^1].Translate(request)) ? 0 : 1;
                }

                if (states.Count == 1)
                    Assert.Single(allowed);
            }
        }

        Assert.True(stale > 20 && cleared > 0);
    }

    [Fact]
    public void AReferenceMayRunOnTheHistoryItself()
    {
        Random random = new(9);
        ulong control = (Rig.On | 1UL << 58 | 3UL << 46) & ~(1UL << 48 | 1UL << 54);
        HistoryRig rig = new(control);
        ReferenceIommu iommu = new(rig.History, Rig.Everything, 1 << 3);
        iommu.Write(0, 8, Rig.DeviceTable | 0x1FF);
        iommu.Write(0x18, 8, control);
        for (int step = 0; step < 200; step++)
        {
            Change(rig, random);
            TranslationRequest request = AnyRequest(random);
            IReadOnlyCollection<ReferenceAllowedAnswer> allowed = rig.History.Allowed(request);
            Assert.Contains(ReferenceAllowedAnswer.Of(iommu.Request(request)), allowed); // its marks become versions too
        }
    }

    [Fact]
    public void AHistoryOfHundredsOfStepsWithoutInvalidationIsAnsweredInTime()
    {
        Random random = new(7);
        HistoryRig rig = new();
        for (int step = 0; step < 400; step++)
            Change(rig, random);
        Stopwatch watch = Stopwatch.StartNew();
        int answers = 0;
        for (int i = 0; i < 20; i++)
            answers += rig.History.Allowed(AnyRequest(random)).Count;
        Assert.True(answers > 100);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed} for 20 requests");
    }

    private static ReferenceIommu Snapshot(HistoryRig rig, ulong control)
    {
        ReferenceMemory copy = new();
        foreach ((ulong first, ulong length) in new[] { (Rig.HostRoot, 0x4000UL), (Tables, 0xA000UL), (Tables + GuestGcr3, 0x1000UL), (Rig.DeviceTable + 0x310 * 32, 0x1000UL) })
        {
            copy.Add(first, length);
            for (ulong at = first; at < first + length; at += 8)
            {
                rig.Memory.TryRead64(at, out ulong value);
                copy.TryWrite64(at, value);
            }
        }

        ReferenceIommu iommu = new(copy, Rig.Everything, 1 << 3);
        iommu.Write(0, 8, Rig.DeviceTable | 0x1FF);
        iommu.Write(0x18, 8, control);
        return iommu;
    }

    private static void Change(HistoryRig rig, Random random)
    {
        T Any<T>(params T[] of) => of[random.Next(of.Length)];
        ulong rights = Any(Rig.IRIW, Rig.IRIW, Rig.IRIW, Rig.IR, Rig.IW), bits = Any(7UL, 7UL, 3UL, 5UL, 0x27UL, 0x67UL);
        ulong gpa = Any(GuestL4, GuestL3, GuestL2, GuestL1, OtherGuestL4, OtherGuestL1, GuestPage, OtherGuestPage, GuestGcr3, 0UL);
        switch (random.Next(10))
        {
            case 0:
                rig.Put(HostL2, Rig.Present | rights | Any(HostL1 | 1 << 9, HostL1 | 1 << 9, OtherHostL1 | 1 << 9, Tables));
                break;
            case 1 or 2:
                rig.Put(HostL1 + (gpa >> 12) * 8, Any(0UL, 1UL, 1UL, 1UL) | rights | Any(0UL, 0UL, 0x60UL) | Tables + (gpa ^ Any(0UL, 0UL, 0x1000UL)));
                break;
            case 3:
                rig.Put(OtherHostL1 + (gpa >> 12) * 8, Rig.Present | rights | Tables + gpa);
                break;
            case 4:
                rig.PutGuest(GuestGcr3 + Pasid * 8, Any(1UL, 1UL, 1UL, 0UL, 3UL) | Any(GuestL4, OtherGuestL4));
                break;
            case 5:
                rig.PutGuest(Any(GuestL4, OtherGuestL4), bits | GuestL3);
                break;
            case 6:
                rig.PutGuest(GuestL2, bits | Any(GuestL1, OtherGuestL1));
                break;
            case 7 or 8:
                rig.PutGuest(Any(GuestL1, OtherGuestL1), Any(bits, bits, bits, 0UL) | Any(GuestPage, OtherGuestPage));
                break;
            default:
                rig.Put(
                    Rig.DeviceTable + Any(HostDevice, NestedDevice).Value * 32,
                    Rig.V | Any(Rig.TV, Rig.TV, Rig.TV, 0UL) | Any(Rig.GV, Rig.GV, 0UL) | Any(3UL << 7, 0UL) | Any(3UL << 9, 3UL << 9, 2UL << 9) | Rig.HostRoot | rights);
                break;
        }
    }

    private static TranslationRequest AnyRequest(Random random)
    {
        Access access = (Access)random.Next(1, 8);
        ulong iova = (ulong)random.Next(0xA) << 12 | 0x123;
        TranslationRequest request = random.Next(3) == 0
            ? new(HostDevice, iova, access)
            : new(NestedDevice, Pasid, random.Next(4) == 0 ? iova : 0x123, access, random.Next(2) == 0);
        return request with { Kind = Kinds[random.Next(2)] };
    }
}
