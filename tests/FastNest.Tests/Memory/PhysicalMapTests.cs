using FastNest.Memory;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Memory;

public sealed unsafe class PhysicalMapTests
{
    private const ulong Page = 0x1000;
    private const ulong Large = 0x20_0000;
    private const ulong Huge = 0x4000_0000;

    public enum Backing
    {
        Ram,
        Mmio,
    }

    public static Arbitrary<Change[]> Changes()
    {
        // Places and lengths near the borders of 4 KiB, 2 MiB and 1 GiB slots.
        Gen<ulong> border =
            from huge in Gen.Choose(0, 3)
            from large in Gen.Elements(0, 1, 2, 510, 511)
            from page in Gen.Elements(0, 0, 1, 511)
            select (ulong)huge * Huge + (ulong)large * Large + (ulong)page * Page;
        Gen<Change> change =
            from a in border
            from b in border
            from kind in Gen.Elements(Backing.Ram, Backing.Ram, Backing.Mmio)
            from host in Gen.Choose(1, 1 << 20)
            select new Change(Math.Min(a, b), Math.Max(a, b) + (a == b ? Page : 0), kind, host);
        return change.ArrayOf().ToArbitrary();
    }

    [Property(Arbitrary = [typeof(PhysicalMapTests)], MaxTest = 300)]
    public void EveryAddressGivesWhatTheMapOfRangesGives(Change[] changes)
    {
        using var map = new PhysicalMap();
        var model = new List<Change>();
        var probes = new SortedSet<ulong> { 0, Huge - Page, Huge, 4 * Huge };
        foreach (Change change in changes)
        {
            // Like the space above it: nothing overlaps, what overlaps is taken out whole first.
            foreach (Change old in model.Where(old => old.Start < change.End && change.Start < old.End).ToArray())
            {
                model.Remove(old);
                map.Unmap(old.Start, old.End - old.Start);
                Compare(map, model, probes);
                map.Free(map.Unlink(old.Start, old.End - old.Start));
            }

            model.Add(change);
            if (change.Kind == Backing.Ram)
            {
                map.MapRam(change.Start, change.End - change.Start, change.Host);
            }
            else
            {
                map.MapMmio(change.Start, change.End - change.Start, change.Number);
            }

            foreach (ulong border in new[] { change.Start, change.End })
            {
                probes.UnionWith([border, border + Page, border - Page, border & ~(Large - 1), border & ~(Huge - 1), (border | (Large - 1)) + 1]);
            }

            Compare(map, model, probes);
        }
    }

    [Fact]
    public void AddressesBeyond52BitsNeverReachTheTable()
    {
        using var map = new PhysicalMap();
        map.MapRam(0, Page, 0x10_0000);
        Assert.True(map.Resolve(1UL << 52) == null);
        Assert.True(map.Resolve(ulong.MaxValue) == null);
        map.MapMmio(Page, Page, 3);
        Assert.Equal(3, map.Window(Page));
        Assert.Equal(-1, map.Window(1UL << 63 | Page));
        Assert.Equal(MemoryStatus.BeyondAddressWidth, map.Classify(1UL << 52));
    }

    /// <summary>A slot that stands for many pages must be split, and its parts go on giving what it gave.</summary>
    [Theory]
    [InlineData(3 * Huge, Page)]
    [InlineData(3 * Huge + 5 * Large, Large)]
    [InlineData(4 * Huge - Page, Page)]
    [InlineData(3 * Huge + Large - Page, 2 * Page)]
    public void AHoleInARunLeavesWhatStandsBesideIt(ulong hole, ulong length)
    {
        using var map = new PhysicalMap();
        var run = new Change(3 * Huge, 4 * Huge, Backing.Ram, 77);
        map.MapRam(run.Start, Huge, run.Host);
        map.Unmap(hole, length);
        List<Change> left =
        [
            .. new[] { run with { End = hole }, run with { Start = hole + length } }.Where(part => part.Start < part.End),
        ];
        foreach (ulong probe in new[] { run.Start, hole - Page, hole, hole + length - Page, hole + length, run.End - Page })
        {
            bool mapped = left.Exists(part => part.Start <= probe && probe < part.End);
            Assert.Equal(mapped ? (ulong)run.Host + (probe - run.Start) : 0, (ulong)map.Resolve(probe));
        }
    }

    private static void Compare(PhysicalMap map, List<Change> model, SortedSet<ulong> probes)
    {
        foreach (ulong probe in probes.Where(static probe => probe >> 52 == 0))
        {
            foreach (ulong address in new[] { probe, probe + Page - 1 })
            {
                Change? hit = model.Find(change => change.Start <= address && address < change.End);
                ulong expected = hit is { Kind: Backing.Ram } ? (ulong)hit.Host + (address - hit.Start) : 0;
                Assert.Equal(expected, (ulong)map.Resolve(address));
                Assert.Equal(hit is { Kind: Backing.Mmio } ? hit.Number : -1, map.Window(address));
                MemoryStatus status = hit switch { null => MemoryStatus.Hole, { Kind: Backing.Ram } => MemoryStatus.Ok, _ => MemoryStatus.Mmio };
                Assert.Equal(status, map.Classify(address));
            }
        }
    }

    /// <summary>One range mapped; <paramref name="Number"/> tells its host address or window.</summary>
    public sealed record Change(ulong Start, ulong End, Backing Kind, int Number)
    {
        public nint Host => (nint)Number << 20 | 8;
    }
}
