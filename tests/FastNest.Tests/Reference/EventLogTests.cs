using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

public class EventLogTests
{
    private const ulong Overflow = 1, LogInt = 2, Run = 8;
    private static readonly DeviceId Other = new(0x0311);

    [Fact]
    public void EntryIsStoredThenTailInterruptBitAndInterrupt()
    {
        Rig rig = new(control: Rig.On | 1 << 3);
        rig.Dte(Rig.V, 0xABCD);
        ReferenceAnswer answer = rig.Send(0x1234_5678_9ABC, Access.Write);
        Assert.Equal(new ReferenceEvent(0x2020_ABCD_0000_0310, 0x1234_5678_9ABC), answer.Event);
        Assert.Equal([answer.Event!], rig.Logged());
        Assert.Equal((0x10UL, LogInt), (rig.Iommu.Read(0x2018, 4), rig.Status & LogInt));
        Assert.Equal([ReferenceInterrupt.EventLog], rig.Iommu.Interrupts);
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(1UL << 3, 256)]
    public void OverflowStopsTheLogUntilBothAreCleared(ulong interrupts, int signalled)
    {
        Rig rig = new(control: Rig.On | interrupts);
        rig.Dte(Rig.V);
        for (ulong i = 0; i < 255; i++)
            rig.Send(i << 12);
        Assert.Equal(Run, rig.Status & (Run | Overflow)); // one slot stays empty
        rig.Iommu.Write(0x2020, 4, LogInt);
        rig.Send(0xDEAD_0000);
        Assert.Equal(Overflow, rig.Status & (Run | Overflow | LogInt));
        Assert.Equal(signalled, rig.Iommu.Interrupts.Count);
        rig.Send(0xDEAD_1000); // lost without trace
        Assert.Equal(signalled, rig.Iommu.Interrupts.Count);
        Assert.Equal(255, rig.Logged().Count);
        Assert.Equal(Enumerable.Range(0, 255).Select(i => (ulong)i << 12), rig.Logged().Select(e => e.Address));

        // The restart sequence of a driver: EventLogEn off, overflow cleared, EventLogEn on.
        rig.Iommu.Write(0x2010, 4, 0xFF0);
        rig.Iommu.Write(0x2020, 4, Overflow);
        Assert.Equal(0UL, rig.Status & Run);
        rig.Iommu.Write(0x18, 8, Rig.On & ~4UL);
        Assert.Equal(0UL, rig.Status & Run);
        rig.Iommu.Write(0x18, 8, Rig.On);
        Assert.Equal(Run, rig.Status & Run);
        rig.Send(0xBEEF_0000);
        Assert.Equal([0xBEEF_0000UL], rig.Logged().Select(e => e.Address));
        Assert.Equal(0UL, rig.Iommu.Read(0x2018, 4)); // wrapped
    }

    [Fact]
    public void TheOverflowBitAloneKeepsTheLogStopped()
    {
        Rig rig = new();
        rig.Iommu.RestoreRegister(0x2020, Overflow);
        rig.Iommu.Write(0x18, 8, Rig.On & ~4UL);
        rig.Iommu.Write(0x18, 8, Rig.On);
        Assert.Equal(0UL, rig.Status & Run);
        rig.Iommu.Write(0x2020, 4, Overflow);
        Assert.Equal(Run, rig.Status & Run);
    }

    [Fact]
    public void ARestoredOverflowStopsTheLogUntilItIsSwitchedOff() // reading 64
    {
        Rig rig = new();
        rig.Iommu.RestoreRegister(0x2020, Overflow);
        rig.Iommu.Write(0x2020, 4, Overflow);
        Assert.Equal(0UL, rig.Status & (Run | Overflow));
        rig.Iommu.Write(0x18, 8, Rig.On & ~4UL);
        rig.Iommu.Write(0x18, 8, Rig.On);
        Assert.Equal(Run, rig.Status & Run);
    }

    [Fact]
    public void NothingIsLoggedWhileTheLogIsOff()
    {
        Rig rig = new(control: Rig.On & ~4UL | 8);
        rig.Dte(Rig.V);
        Assert.NotNull(rig.Send(0).Event);
        Assert.Equal((0UL, 0UL), (rig.Iommu.Read(0x2018, 4), rig.Status & 3));
        Assert.Empty(rig.Iommu.Interrupts);
    }

    [Fact]
    public void AnEntryWithoutMemoryIsLostAndTheLogGoesOn()
    {
        Rig rig = new(control: 0);
        rig.Iommu.Write(0x10, 8, 0x7000_0000 | 8UL << 56);
        rig.Iommu.Write(0x18, 8, Rig.On);
        rig.Dte(Rig.V);
        rig.Send(0);
        Assert.Equal((0UL, Run), (rig.Iommu.Read(0x2018, 4), rig.Status & (Run | LogInt)));
    }

    [Theory] // DTE.SE bit 33, DTE.SA bit 34; how many of three faults are logged
    [InlineData(0UL, 3)]
    [InlineData(1UL << 33, 1)]
    [InlineData(1UL << 34, 0)]
    [InlineData(3UL << 33, 0)]
    public void PageFaultsAreSuppressed(ulong bits, int logged)
    {
        Rig rig = new();
        rig.Dte(Rig.V, bits);
        for (int i = 0; i < 3; i++)
            Assert.NotNull(rig.Send(0x1000).Event);
        Assert.Equal(logged, rig.Logged().Count);
    }

    [Theory] // what makes the next fault be logged again
    [InlineData(2UL << 60 | 0x310, true)]
    [InlineData(2UL << 60 | 0x311, false)]
    [InlineData(8UL << 60, true)]
    [InlineData(3UL << 60, false)]
    public void SuppressionEndsWithTheCachedEntry(ulong command, bool again)
    {
        Rig rig = new();
        rig.Dte(Rig.V, 1UL << 33);
        rig.Dte(Rig.V, 1UL << 33, device: Other);
        rig.Send(0);
        rig.Send(0, device: Other);
        Assert.Equal(2, rig.Logged().Count); // each device has its own first
        rig.Command(command);
        rig.Send(0);
        Assert.Equal(again ? 3 : 2, rig.Logged().Count);
    }

    [Fact]
    public void OnlyPageFaultsAreSuppressed()
    {
        Rig rig = new();
        rig.HostDte(3, q1: 3UL << 33);
        rig.Send(0);
        Assert.Equal(ReferenceEventCode.PageTableHardwareError, rig.Logged().Single().Code);
    }

    [Theory]
    [InlineData(Rig.On)]
    [InlineData(Rig.On & ~4UL)] // whether or not the log runs
    public void HardwareErrorsSetTheirRegisters(ulong control)
    {
        Rig rig = new(control: control);
        rig.HostDte(3);
        ReferenceEvent first = rig.Send(0).Event!;
        Assert.Equal((first.Low, first.High, 1UL), (rig.Iommu.Read(0x40, 8), rig.Iommu.Read(0x48, 8), rig.Iommu.Read(0x50, 8)));
        rig.Send(0x4000_0000);
        Assert.Equal((first.High, 3UL), (rig.Iommu.Read(0x48, 8), rig.Iommu.Read(0x50, 8)));
        rig.Iommu.Write(0x50, 4, 2);
        Assert.Equal(1UL, rig.Iommu.Read(0x50, 8));
        rig.Iommu.Write(0x50, 4, 1);
        ReferenceEvent third = rig.Send(0x4000_0000).Event!;
        Assert.Equal((third.High, 1UL), (rig.Iommu.Read(0x48, 8), rig.Iommu.Read(0x50, 8)));
    }

    [Fact]
    public void HardwareEventRegistersNeedTheirFeature()
    {
        Rig rig = new(Rig.Everything & ~(1UL << 8));
        rig.HostDte(3);
        rig.Send(0);
        Assert.Equal((0UL, 0UL), (rig.Iommu.Read(0x40, 8), rig.Iommu.Read(0x50, 8)));
        Assert.Single(rig.Logged());
    }
}
