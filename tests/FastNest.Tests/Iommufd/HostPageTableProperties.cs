using FastNest.Iommufd;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>Tables that are written over and cut at any place, against a dictionary of pages. To replay, see <see cref="Seed"/>.</summary>
[Trait("Suite", "iommufd")]
public sealed class HostPageTableProperties
{
    private const ulong Page = IoasMachine.Page;
    private const int Pages = 2048;
    private const int Levels = 4;

    /// <summary>Two pages of 2 MiB before a border of 1 GiB, and two after it.</summary>
    private const ulong Base = (1UL << 30) - Pages / 2 * Page;

    private static readonly ulong[] Sizes =
    [
        HostPageTable.DefaultPageSizes, 1UL << 12, 1UL << 12 | 1UL << 14 | 1UL << 16, 1UL << 12 | 1UL << 13 | 1UL << 20 | 1UL << 22,
        1UL << 12 | 1UL << 21 | 1UL << 22,
    ];

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 60)]
    public void PagesAreSplitAndMergedAndLeadWhereTheyShould(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        var dice = new Dice(seed.Value);
        using var memory = new GuestPhysicalSpace();
        using var pages = new TablePages(memory);
        using var table = new HostPageTable(pages, Levels, dice.Of(Sizes));
        var expected = new Dictionary<ulong, (ulong Physical, Access Rights)>();
        for (int step = 0; step < 12; step++)
        {
            int first = dice.Below(Pages);
            first &= ~(dice.Of(1, 4, 512) - 1);
            int count = Math.Min(Pages - first, dice.Of(dice.Between(1, 40), 512, 1024, Pages));
            ulong iova = Base + (ulong)first * Page;
            if (dice.OneIn(3))
            {
                table.Unmap(iova, (ulong)count * Page);
                for (int i = 0; i < count; i++)
                {
                    expected.Remove(iova + (ulong)i * Page);
                }
            }
            else
            {
                table.PageSizes = dice.Of(Sizes);
                ulong physical = (ulong)(dice.OneIn(3) ? dice.Below(Pages) : first) * Page;
                Access rights = dice.Of(Access.Read, Access.Write, Access.ReadWrite);
                table.Map(iova, physical, (ulong)count * Page, rights);
                for (int i = 0; i < count; i++)
                {
                    expected[iova + (ulong)i * Page] = (physical + (ulong)i * Page, rights);
                }
            }

            LookThrough(memory, table, expected);
            table.GiveBack();
        }

        table.Unmap(Base, Pages * Page);
        table.GiveBack();
        Assert.Equal(1, pages.Taken);
    }

    /// <summary>A walker that looks all the time never finds anything but what is mapped, in whatever pages.</summary>
    [Fact]
    public void AWalkerFindsOldOrNew()
    {
        const ulong Length = 4UL << 20;
        using var memory = new GuestPhysicalSpace();
        using var pages = new TablePages(memory);
        using var table = new HostPageTable(pages, Levels);
        table.Map(0, Length, Length, Access.ReadWrite);
        bool ends = false;
        int walks = 0;
        string found = "nothing yet";
        var walker = new Thread(() =>
        {
            for (ulong iova = 0; !Volatile.Read(ref ends); iova = (iova + 37 * Page) % Length, Volatile.Write(ref walks, walks + 1))
            {
                HostTableLeaf? leaf = HostTables.Find(memory, table.Root, Levels, iova);
                if (leaf is not { Rights: Access.ReadWrite } page || page.Physical + (iova - page.Iova) != Length + iova)
                {
                    found = $"0x{iova:x} -> {leaf}";
                    return;
                }
            }

            found = "what is mapped";
        });
        walker.Start();
        for (int round = 0; walker.IsAlive && (round < 500 || Volatile.Read(ref walks) < 50_000); round++)
        {
            // Tables that are taken out are not given back: the walker may still be in them.
            table.PageSizes = Sizes[round % Sizes.Length];
            table.Map(0, Length, Length, Access.ReadWrite);
        }

        Volatile.Write(ref ends, true);
        walker.Join();
        Assert.Equal("what is mapped", found);
    }

    [Fact]
    public void CuttingAPageOfAGibibyteLeavesTheRest()
    {
        using var memory = new GuestPhysicalSpace();
        using var pages = new TablePages(memory);
        using var table = new HostPageTable(pages, Levels);
        table.Map(1UL << 30, 1UL << 30, 1UL << 30, Access.Read);
        Assert.Equal(30, HostTables.Find(memory, table.Root, Levels, 1UL << 30)!.Value.Shift);
        ulong hole = (1UL << 30) + (5UL << 21) + 7 * Page;
        table.Unmap(hole, Page);
        Assert.Null(HostTables.Find(memory, table.Root, Levels, hole));
        Assert.Equal(new HostTableLeaf(hole + Page, hole + Page, 12, Access.Read), HostTables.Find(memory, table.Root, Levels, hole + Page));
        Assert.Equal(21, HostTables.Find(memory, table.Root, Levels, (1UL << 30) + (6UL << 21))!.Value.Shift);
        table.Map(hole, hole, Page, Access.Read);
        table.Map(1UL << 30, 1UL << 30, 1UL << 30, Access.Read);
        Assert.Equal(30, HostTables.Find(memory, table.Root, Levels, hole)!.Value.Shift);
        table.GiveBack();
        Assert.Equal(2, pages.Taken);
    }

    /// <summary>Each page leads where it should, and no leaf reaches beyond what is mapped alike.</summary>
    private static void LookThrough(GuestPhysicalSpace memory, HostPageTable table, Dictionary<ulong, (ulong Physical, Access Rights)> expected)
    {
        for (ulong iova = Base; iova < Base + Pages * Page; iova += Page)
        {
            HostTableLeaf? leaf = HostTables.Find(memory, table.Root, Levels, iova);
            Assert.Equal(expected.ContainsKey(iova), leaf is not null);
            if (leaf is { } found)
            {
                Assert.Equal(expected[iova], (found.Physical + (iova - found.Iova), found.Rights));
                ulong last = found.Iova + (1UL << found.Shift) - Page;
                Assert.Equal((found.Physical, found.Rights), expected.GetValueOrDefault(found.Iova));
                Assert.Equal((found.Physical + (last - found.Iova), found.Rights), expected.GetValueOrDefault(last));
            }
        }
    }
}
