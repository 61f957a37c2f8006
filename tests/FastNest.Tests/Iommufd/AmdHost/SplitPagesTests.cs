using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Iommufd.AmdHost;

/// <summary>Dirty tracking of large pages, whole or split, as a device's writes show it.</summary>
[Trait("Suite", "iommufd")]
public sealed class SplitPagesTests : IDisposable
{
    private const uint Id = 0x10;
    private const ulong Large = 2 << 20;
    private const ulong Page = IoasMachine.Page;

    private readonly AmdHostMachine _machine = new();
    private readonly AmdHostDevice _device;
    private readonly AmdPagingDomain _domain;

    public SplitPagesTests()
    {
        _device = _machine.AddDevice(Id);
        _domain = _machine.NewDomain(_device, HwptOptions.DirtyTracking);
        _device.Attach(null, _domain);
        _machine.Map(Large, Large, Large);
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void AWriteMarksTheWholeOfALargePage()
    {
        Begin(splits: false);
        Assert.Equal(21, HostTables.Find(_domain.Tables, Large)?.Shift);
        Write(5);
        Assert.Equal(Enumerable.Range(0, 512), Dirty());
    }

    [Fact]
    public void AWriteMarksFourKibibytesOfASplitPage()
    {
        Begin(splits: true);
        Assert.Equal(12, HostTables.Find(_domain.Tables, Large)?.Shift);
        Write(5);
        _machine.Map(2 * Large, 2 * Large, Large);
        Assert.Equal(12, HostTables.Find(_domain.Tables, 2 * Large)?.Shift);
        Assert.Equal([5], Dirty());
        Assert.Equal([], Dirty());
        _domain.SetDirtyTracking(false);
        _domain.Tables.EndDirtyTracking();
        Assert.Equal(21, HostTables.Find(_domain.Tables, Large)?.Shift);
        Assert.Equal(21, HostTables.Find(_domain.Tables, 2 * Large)?.Shift);
        Assert.Equal(Large + 5 * Page, _machine.Reach(Id, Large + 5 * Page));
    }

    /// <summary>The device's caches know the large page; what they know must go with it.</summary>
    [Fact]
    public void WhatWasCachedIsSplitToo()
    {
        TranslationResult before = _machine.Translate(Id, Large, Access.Write);
        _domain.Tables.BeginDirtyTracking(splitsPages: true);
        TranslationResult after = _machine.Translate(Id, Large, Access.Write);
        Assert.Equal((21, 12), (before.PageShift, after.PageShift));
    }

    [Fact]
    public void WithoutRoomForTablesNothingIsSplit()
    {
        List<ulong> taken = TakeAllTables();
        Assert.Equal(Errno.ENOMEM, IoasMachine.Fails(() => _domain.Tables.BeginDirtyTracking(splitsPages: true)));
        Assert.Equal(21, HostTables.Find(_domain.Tables, Large)?.Shift);
        Assert.Equal(Large + 5 * Page, _machine.Reach(Id, Large + 5 * Page));
        _machine.Context.TablePages.Give(taken);
        _domain.Tables.BeginDirtyTracking(splitsPages: true);
    }

    /// <summary>But for one page: so that the second large page is the one that cannot be split.</summary>
    private List<ulong> TakeAllTables()
    {
        _machine.Map(2 * Large, 2 * Large, Large);
        GuestPhysicalSpace memory = _machine.Memory;
        MemoryRegion[] regions = [.. memory.Regions];
        for (int i = 0; i < regions.Length; i++)
        {
            ulong end = regions[i].Start + regions[i].Length;
            ulong next = i + 1 < regions.Length ? regions[i + 1].Start : 1UL << GuestPhysicalSpace.AddressBits;
            if (next > end)
            {
                memory.AddMmio(end, next - end, new Nothing());
            }
        }

        var taken = new List<ulong>();
        while (Record.Exception(() => taken.Add(_machine.Context.TablePages.Take())) is null)
        {
        }

        List<ulong> one = [taken[^1]];
        taken.RemoveAt(taken.Count - 1);
        _machine.Context.TablePages.Give(one);
        return taken;
    }

    private void Begin(bool splits)
    {
        _domain.Tables.BeginDirtyTracking(splits);
        _domain.SetDirtyTracking(true);
    }

    private void Write(ulong page) => Assert.NotNull(_machine.Reach(Id, Large + page * Page, Access.Write));

    private IEnumerable<int> Dirty()
    {
        var bits = new byte[64];
        _domain.Tables.ReadDirty(Large, Large, Page, bits, clear: true);
        return Enumerable.Range(0, 512).Where(page => (bits[page / 8] >> page % 8 & 1) != 0);
    }

    private sealed class Nothing : IMmioWindow
    {
        public ulong Read(ulong offset, int size) => 0;

        public void Write(ulong offset, int size, ulong value)
        {
        }
    }
}
