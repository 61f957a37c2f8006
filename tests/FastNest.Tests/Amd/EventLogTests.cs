using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>The event log (digest section 7.1, readings 41, 44, 48 to 51, 54).</summary>
public sealed class EventLogTests
{
    private const uint Device = 0x0310;

    [Theory]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(15)]
    public void EntriesAreWrittenInOrderAndTheTailWraps(int code)
    {
        using TestMachine machine = Blocking().Start(eventCode: code);
        ulong length = 16UL << code;
        for (ulong i = 0; i < length / 16 + 3; i++)
        {
            Assert.Equal(i * 16 % length, machine.Read(Mmio.EventTail));
            Fault(machine, i << 12);
            ulong at = TestMachine.EventRing + i * 16 % length;
            Assert.Equal((2UL << 60 | 0x77UL << 32 | Device, i << 12), (machine.Peek(at), machine.Peek(at + 8)));
            Assert.Equal((i + 1) * 16 % length, machine.Read(Mmio.EventTail));
            machine.Write(Mmio.EventHead, (i + 1) * 16 % length, 4);
        }

        Assert.Equal(0UL, machine.Status & Mmio.EventOverflow);
    }

    [Theory]
    [InlineData(0UL, 8)]
    [InlineData(0x20UL, 8)]
    [InlineData(0xFF0UL, 8)]
    [InlineData(0x10UL, 9)]
    public void OneSlotStaysEmptyAndTheNextEventOverflows(ulong start, int code)
    {
        using TestMachine machine = Blocking().Start(Mmio.EventIntEn, eventCode: code);
        ulong length = 16UL << code;
        for (ulong i = 0; i < start / 16; i++)
        {
            Fault(machine, 0);
        }

        machine.Write(Mmio.EventHead, start, 4);
        for (ulong i = 0; i < length / 16 - 1; i++)
        {
            Fault(machine, i << 12);
        }

        ulong tail = (start + length - 16) % length;
        Assert.Equal((Mmio.EventLogRun | Mmio.EventLogInt, tail), (machine.Status & ~Mmio.CmdBufRun, machine.Read(Mmio.EventTail)));
        machine.Write(Mmio.Status, Mmio.EventLogInt);
        machine.Interrupts.Clear();
        ulong before = machine.Peek(TestMachine.EventRing + tail);
        Fault(machine, 0x1000);
        Assert.Equal((Mmio.EventOverflow, tail), (machine.Status & ~Mmio.CmdBufRun, machine.Read(Mmio.EventTail)));
        Assert.Equal([IommuInterrupt.EventLog], machine.Interrupts);
        Assert.Equal(before, machine.Peek(TestMachine.EventRing + tail));
        Fault(machine, 0x2000); // lost without trace
        Assert.Equal((Mmio.EventOverflow, tail), (machine.Status & ~Mmio.CmdBufRun, machine.Read(Mmio.EventTail)));
        Assert.Single(machine.Interrupts);
        Assert.Equal((int)(length / 16) - 1, machine.DrainEvents().Count);
    }

    /// <summary>Digest section 7.1: EventLogEn=0, EventIntEn=0, W1C EventOverflow, EventIntEn=1, EventLogEn=1.</summary>
    [Fact]
    public void LinuxRestartsAnOverflowedLog()
    {
        using TestMachine machine = Overflowed(Mmio.EventIntEn);
        ulong control = machine.Read(Mmio.Control);
        machine.DrainEvents();
        Assert.Equal(0UL, machine.Status & Mmio.EventLogRun); // draining alone does not restart it
        machine.Write(Mmio.Control, control & ~Mmio.EventLogEn);
        machine.Write(Mmio.Control, control & ~Mmio.EventLogEn & ~Mmio.EventIntEn);
        Assert.Equal(Mmio.EventOverflow, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        machine.Write(Mmio.Status, Mmio.EventOverflow, 4);
        machine.Write(Mmio.Control, control & ~Mmio.EventLogEn | Mmio.EventIntEn);
        Assert.Equal(0UL, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        machine.Write(Mmio.Control, control);
        Assert.Equal(Mmio.EventLogRun, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        machine.Interrupts.Clear();
        Fault(machine, 0x9000);
        Assert.Equal(0x9000UL, machine.OnlyEvent().High);
        Assert.Single(machine.Interrupts);
    }

    [Fact]
    public void ClearingTheOverflowAloneDoesNotRestartTheLog()
    {
        using TestMachine machine = Overflowed(0);
        machine.DrainEvents();
        machine.Write(Mmio.Status, Mmio.EventOverflow);
        Assert.Equal(0UL, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        Fault(machine, 0);
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void TogglingEventLogEnAloneDoesNotRestartTheLog()
    {
        using TestMachine machine = Overflowed(0);
        ulong control = machine.Read(Mmio.Control);
        machine.Write(Mmio.Control, control & ~Mmio.EventLogEn);
        machine.Write(Mmio.Control, control);
        Assert.Equal(Mmio.EventOverflow, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        machine.Write(Mmio.Status, Mmio.EventOverflow);
        Assert.Equal(Mmio.EventLogRun, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
    }

    /// <summary>Reading 64.</summary>
    [Fact]
    public void ARestoredOverflowMustBeAcknowledgedLikeAnyOther()
    {
        using TestMachine machine = Blocking().Start();
        ulong control = machine.Read(Mmio.Control);
        machine.Iommu.TryRestore(Mmio.Status, Mmio.EventOverflow);
        machine.Write(Mmio.Status, Mmio.EventOverflow);
        Assert.Equal(0UL, machine.Status & Mmio.EventLogRun);
        machine.Write(Mmio.Control, control & ~Mmio.EventLogEn);
        machine.Write(Mmio.Control, control);
        Assert.Equal(Mmio.EventLogRun, machine.Status & Mmio.EventLogRun);
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(Mmio.EventIntEn, 1)]
    public void EachEventSetsEventLogIntAndInterruptsWhenEnabled(ulong enable, int interrupts)
    {
        using TestMachine machine = Blocking().Start(enable);
        for (int i = 1; i <= 3; i++)
        {
            Fault(machine, 0);
            Assert.Equal(Mmio.EventLogInt, machine.Status & Mmio.EventLogInt);
            Assert.Equal(i * interrupts, machine.Interrupts.Count);
            machine.Write(Mmio.Status, Mmio.EventLogInt);
            Assert.Equal(0UL, machine.Status & Mmio.EventLogInt);
        }

        Assert.All(machine.Interrupts, static interrupt => Assert.Equal(IommuInterrupt.EventLog, interrupt));
    }

    [Fact]
    public void WithoutALogNothingIsWrittenAndNothingIsSignalled()
    {
        foreach (ulong missing in new[] { Mmio.EventLogEn, 8UL << 56 })
        {
            using TestMachine machine = Blocking();
            machine.Write(Mmio.DeviceTableBase, TestMachine.DeviceTable | 0x1FF);
            machine.Write(Mmio.EventBase, TestMachine.EventRing | (missing == Mmio.EventLogEn ? 8UL << 56 : 7UL << 56));
            machine.Write(Mmio.Control, Mmio.IommuEn | Mmio.EventIntEn | (missing == Mmio.EventLogEn ? 0 : Mmio.EventLogEn));
            Fault(machine, 0);
            Assert.Equal((0UL, 0UL, 0UL), (machine.Status, machine.Read(Mmio.EventTail), machine.Peek(TestMachine.EventRing)));
            Assert.Empty(machine.Interrupts);
        }
    }

    [Fact]
    public void AnEntryWhoseMemoryDoesNotExistIsLostAndTheLogGoesOn()
    {
        using TestMachine machine = Blocking();
        machine.Write(Mmio.DeviceTableBase, TestMachine.DeviceTable | 0x1FF);
        machine.Write(Mmio.EventBase, TestMachine.Hole | 8UL << 56);
        machine.Write(Mmio.Control, Mmio.IommuEn | Mmio.EventLogEn | Mmio.EventIntEn);
        Fault(machine, 0);
        Assert.Equal((Mmio.EventLogRun, 0UL), (machine.Status, machine.Read(Mmio.EventTail)));
        Assert.Empty(machine.Interrupts);
        machine.Memory.AddOwned(TestMachine.Hole, 0x1000);
        Fault(machine, 0x5000);
        Assert.Equal(0x5000UL, machine.OnlyEvent().High);
    }

    [Fact]
    public void HardwareErrorsAreHeldInRegistersUntilAcknowledged()
    {
        using TestMachine machine = Blocking().Start();
        machine.SetDte(Device, Bits.DteLow(TestMachine.Hole, 1), 0x77);
        machine.Translate(Device, 0x3000, Access.Write);
        (ulong, ulong) first = (4UL << 60 | 1UL << 57 | 1UL << 53 | 0x77UL << 32 | Device, TestMachine.Hole + 0x18);
        Assert.Equal(first, machine.OnlyEvent());
        Assert.Equal(first, (machine.Read(Mmio.HwEventUpper), machine.Read(Mmio.HwEventLower)));
        Assert.Equal(1UL, machine.Read(Mmio.HwEventStatus));
        machine.Translate(Device, 0x4000);
        Assert.Equal(first, (machine.Read(Mmio.HwEventUpper), machine.Read(Mmio.HwEventLower)));
        Assert.Equal(3UL, machine.Read(Mmio.HwEventStatus)); // HEO
        machine.Write(Mmio.HwEventStatus, 3);
        machine.Write(Mmio.Control, Mmio.IommuEn); // without a log as well
        machine.Translate(Device, 0x5000);
        Assert.Equal((4UL << 60 | 1UL << 57 | 0x77UL << 32 | Device, TestMachine.Hole + 0x28, 1UL), (machine.Read(Mmio.HwEventUpper), machine.Read(Mmio.HwEventLower), machine.Read(Mmio.HwEventStatus)));
    }

    [Fact]
    public void OtherEventsAndMachinesWithoutTheFeatureLeaveTheRegistersAlone()
    {
        using TestMachine machine = Blocking().Start();
        Fault(machine, 0);
        machine.Send(Bits.Command(0));
        Assert.Equal(0UL, machine.Read(Mmio.HwEventStatus) | machine.Read(Mmio.HwEventUpper));
        using TestMachine without = new TestMachine(Mmio.BuiltEfr & ~Mmio.HESup).Start();
        without.SetDte(Device, Bits.DteLow(TestMachine.Hole, 1));
        without.Translate(Device, 0);
        Assert.Single(without.DrainEvents());
        Assert.Equal(0UL, without.Read(Mmio.HwEventStatus) | without.Read(Mmio.HwEventUpper));
    }

    [Fact]
    public void SuppressAllLogsNoPageFault()
    {
        using TestMachine machine = Blocking(Bits.SA).Start();
        Fault(machine, 0);
        Fault(machine, 0x1000);
        Assert.Empty(machine.DrainEvents());
        machine.SetDte(Device, Bits.DteLow(0, 7), Bits.SA); // not a page fault: never suppressed
        machine.SendAndWait(Bits.InvalidateDevice(Device));
        machine.Translate(Device, 0);
        Assert.Equal(1UL, machine.OnlyEvent().Low >> 60);
    }

    [Fact]
    public void SuppressAllWinsOverSuppress()
    {
        using TestMachine machine = Blocking(Bits.SA | Bits.SE).Start();
        Fault(machine, 0);
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void SuppressLogsTheFirstPageFaultOfEachDeviceUntilItsEntryIsInvalidated()
    {
        using TestMachine machine = Blocking(Bits.SE).Start();
        machine.SetDte(Device + 1, Bits.V, Bits.SE | 0x78);
        Fault(machine, 0x1000);
        Fault(machine, 0x2000);
        machine.Translate(Device + 1, 0x3000);
        machine.Translate(Device + 1, 0x4000);
        Assert.Equal([0x1000UL, 0x3000], machine.DrainEvents().Select(static entry => entry.High));
        machine.SendAndWait(Bits.InvalidateDevice(Device + 1), Bits.InvalidatePages(0x77, 0, false));
        Fault(machine, 0x5000);
        machine.Translate(Device + 1, 0x6000);
        Assert.Equal([0x6000UL], machine.DrainEvents().Select(static entry => entry.High));
        machine.SendAndWait(Bits.InvalidateAll());
        Fault(machine, 0x7000);
        machine.Translate(Device + 1, 0x8000);
        Fault(machine, 0x9000);
        Assert.Equal([0x7000UL, 0x8000], machine.DrainEvents().Select(static entry => entry.High));
    }

    [Fact]
    public void SuppressionHoldsAcrossPorts()
    {
        using TestMachine machine = Blocking(Bits.SE).Start();
        using var second = machine.Iommu.OpenPort();
        Fault(machine, 0x1000);
        second.Translate(new TranslationRequest(new(Device), 0x2000, Access.Read));
        Assert.Equal(0x1000UL, machine.OnlyEvent().High);
    }

    /// <summary>A machine whose device is blocked (V=1, TV=0) in domain 77h.</summary>
    private static TestMachine Blocking(ulong flags = 0)
    {
        var machine = new TestMachine();
        machine.SetDte(Device, Bits.V, 0x77 | flags);
        return machine;
    }

    private static TestMachine Overflowed(ulong control)
    {
        TestMachine machine = Blocking().Start(control, eventCode: 8);
        for (ulong i = 0; i < 256; i++)
        {
            Fault(machine, i << 12);
        }

        Assert.Equal(Mmio.EventOverflow, machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        return machine;
    }

    private static void Fault(TestMachine machine, ulong iova) => Assert.False(machine.Translate(Device, iova).Succeeded);
}
