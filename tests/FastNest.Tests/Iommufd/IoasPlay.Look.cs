using FastNest.Iommufd;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <content>What is looked at after every call.</content>
internal sealed partial class IoasPlay
{
    private void Look()
    {
        Assert.Equal((_processModel.Pinned, _fileModel.Pinned), (_process.PinnedPages, _machine.Context.Process.PinnedPages));
        foreach (Space space in _spaces)
        {
            List<IovaRange> expected = space.Model.Ranges();
            var ranges = new IovaRange[expected.Count];
            Assert.Equal(Errno.None, space.Ioas.GetIovaRanges(ranges, out int count, out ulong alignment));
            Assert.Equal((expected.Count, space.Model.Alignment, space.Model.HugePages), (count, alignment, space.Ioas.HugePages));
            Assert.Equal(expected, ranges);
        }

        foreach (Domain domain in _domains)
        {
            LookThrough(domain);
        }
    }

    /// <summary>Every page of a domain's tables, and some of them as its device reaches them.</summary>
    private void LookThrough(Domain domain)
    {
        var expected = new Dictionary<ulong, (ulong Physical, Access Rights)>();
        foreach (AreaModel area in domain.Space.Model.Areas)
        {
            for (ulong at = 0; at < area.Length; at += Page)
            {
                Assert.Equal(Errno.None, area.Pages.Locate(area.Start + at, out ulong physical));
                expected.Add(area.Iova + at, (physical, area.Rights));
            }
        }

        foreach (AreaModel area in domain.Space.Model.Areas)
        {
            LookAtSizes(domain, area, expected);
        }

        var places = new HashSet<ulong>(expected.Keys);
        for (ulong at = 0; at < (Places + 24) * Page; at += Page)
        {
            places.Add(Low + at);
            places.Add(High + at);
        }

        foreach (ulong iova in places)
        {
            HostTableLeaf? leaf = HostTables.Find(domain.Tables, iova);
            Assert.Equal(expected.TryGetValue(iova, out (ulong Physical, Access Rights) page), leaf is not null);
            if (leaf is { } found)
            {
                Assert.Equal(page, (found.Physical + (iova - found.Iova), found.Rights));
            }

            if (_dice.OneIn(12))
            {
                Access need = _dice.Of(Access.Read, Access.Write);
                Assert.Equal(
                    page.Rights.HasFlag(need) ? page.Physical : null,
                    _machine.Reach(domain.Device.Id.Value, iova, need));
            }
        }
    }

    /// <summary>Each page of the table is the largest that the area, its alignment and what stands behind it allow.</summary>
    private static void LookAtSizes(Domain domain, AreaModel area, Dictionary<ulong, (ulong Physical, Access Rights)> pages)
    {
        ulong sizes = area.Small.Contains(domain) ? Page : domain.Tables.Format.PageSizes;
        for (ulong iova = area.Iova; iova < area.Iova + area.Length; iova += Page)
        {
            int largest = Enumerable.Range(12, 10).Last(shift => (sizes >> shift & 1) != 0 && Fits(iova & ~((1UL << shift) - 1), 1UL << shift));
            Assert.Equal(largest, HostTables.Find(domain.Tables, iova)?.Shift);
        }

        bool Fits(ulong first, ulong size) =>
            first >= area.Iova && first + (size - 1) <= area.Last && pages[first].Physical % size == 0
            && Enumerable.Range(0, (int)(size / Page)).All(i => pages[first + (ulong)i * Page].Physical == pages[first].Physical + (ulong)i * Page);
    }
}
