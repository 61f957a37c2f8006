using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd.Viommu;

/// <summary>Guests' event and PPR logs (digest section 8.8, readings 98 to 101, 105).</summary>
public sealed class GuestLogTests
{
    private const uint Device = 0x0310;
    private const ulong VEvent = 1UL << 29;
    private const ulong GN = 1UL << 48;

    private static readonly PageRequest Page = new(new(Device), 3, 0x7000, Access.Read, 5, true);

    [Fact]
    public void AFaultOfTheGuestsTablesGoesToTheGuestAlone()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        Assert.Equal(FaultReason.NotPresent, machine.Translate(Device, 0x1_0000, Access.Write).Reason);
        Assert.Equal((2UL << 60 | GN | 1UL << 53 | 0x20, 0x1_0000UL), Assert.Single(guest.DrainEvents()));
        Assert.Empty(machine.DrainEvents());
        Assert.Equal(new(guest.Id, IommuInterrupt.EventLog), Assert.Single(machine.Interrupts));
        Assert.Equal(Mmio.EventLogInt, guest.Status & Mmio.EventLogInt);
    }

    [Fact]
    public void AFaultOfTheHostsTablesGoesToTheHostAndCanBeInsertedOnce()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        machine.Map(guest.Root, 0x5000, 0);
        Assert.Equal(TranslationStage.Host, machine.Translate(Device, 0x9008).Stage);
        Assert.Equal((2UL << 60 | VEvent | 0x77UL << 32 | Device, 0x5008UL), Assert.Single(machine.DrainEvents()));
        Assert.Empty(guest.DrainEvents());
        machine.Send(Bits.Command(9, (ulong)guest.Id << 32), Bits.Command(9, (ulong)guest.Id << 32));
        Assert.Equal((2UL << 60 | 0x20, 0x5008UL), Assert.Single(guest.DrainEvents()));
        machine.Send(Bits.Command(9, 0x1234UL << 32));
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void AHardwareErrorIsTheHostsAndHidesWhereMemoryIs()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        machine.Map(guest.Root, 0xF000, 0x4000_0000); // no memory there
        guest.Poke(TestGuest.FirstTable + 0x1000, 0xF000 | 7);
        machine.Send(Bits.InvalidateAll());
        Assert.Equal(FaultReason.TableUnreadable, machine.Translate(Device, 0x9000).Reason);
        Assert.Equal(4UL << 60 | VEvent, Assert.Single(machine.DrainEvents()).Low & (0xFUL << 60 | VEvent));
        Assert.Empty(guest.DrainEvents());
        machine.Send(Bits.Command(9, (ulong)guest.Id << 32));
        Assert.Empty(guest.DrainEvents());
    }

    [Fact]
    public void AnotherHostsDeviceAndAHostWithoutGuestsKeepTheirEvents()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        machine.SetDte(0x99, Bits.DteLow(guest.Root, 5), 0x77, 0, (ulong)guest.Id << 32);
        machine.Translate(0x99, 0x100_0000);
        Assert.Equal(2UL << 60 | 0x77UL << 32 | 0x99, Assert.Single(machine.DrainEvents()).Low);
        machine.Write(Mmio.Control, GuestMachine.On & ~GuestMachine.ViommuEn);
        machine.Translate(Device, 0x1_0000);
        Assert.Equal((2UL << 60 | GN | Device, 0x1_0000UL), Assert.Single(machine.DrainEvents()));
        Assert.Empty(guest.DrainEvents());
    }

    [Fact]
    public void AFullLogLosesWhatComesAndTheGuestSeesIt()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        for (int i = 0; i < 300; i++)
        {
            machine.Translate(Device, 0x1_0000);
        }

        Assert.Equal(Mmio.EventOverflow, guest.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        Assert.Equal(255, guest.DrainEvents().Count);
        Assert.Empty(machine.DrainEvents());
        ulong control = guest.Mmio.Read(0x18, 8);
        guest.Mmio.Write(0x18, 8, control & ~Mmio.EventLogEn);
        guest.Write(0x20, Mmio.EventOverflow);
        guest.Mmio.Write(0x18, 8, control);
        machine.Translate(Device, 0x1_0000);
        Assert.Single(guest.DrainEvents());
    }

    [Fact]
    public void ALogOutOfReachIsToldToTheHostOnce()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        machine.Map(guest.Root, TestGuest.EventRing, 0);
        machine.Map(guest.Root, TestGuest.PprRing, 0);
        machine.Translate(Device, 0x1_0000);
        machine.Translate(Device, 0x1_0000);
        Assert.Equal((0xBUL << 60 | (ulong)guest.Id << 32 | VEvent, 0UL), Assert.Single(machine.DrainEvents()));
        machine.Iommu.RequestPage(Page);
        machine.Iommu.RequestPage(Page);
        Assert.Equal((0xBUL << 60 | 1UL << 48 | (ulong)guest.Id << 32 | VEvent, 0UL), Assert.Single(machine.DrainEvents()));
        Assert.Equal((0UL, 0UL), (guest.Read(0x18), guest.Read(0x38)));
    }

    [Fact]
    public void APageRequestGoesToTheGuestsLogUnderTheGuestsName()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        machine.Iommu.RequestPage(Page);
        (ulong low, ulong high) = Assert.Single(guest.DrainPprs());
        Assert.Equal((1UL << 60 | 1UL << 56 | 1UL << 54 | 1UL << 50 | 1UL << 41 | 5UL << 32 | 3UL << 16 | 0x20, 0x7000UL), (low, high));
        Assert.Equal(0UL, machine.Read(Mmio.PprTail));
        Assert.Equal(new(guest.Id, IommuInterrupt.PprLog), Assert.Single(machine.Interrupts));
    }

    [Fact]
    public void AGuestThatTakesNoPageRequestsIsToldOfAnInvalidOne()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        guest.Mmio.Write(0x18, 8, guest.Mmio.Read(0x18, 8) & ~(1UL << 15));
        machine.Iommu.RequestPage(Page);
        Assert.Equal(9UL << 60 | 0x20, Assert.Single(guest.DrainEvents()).Low & (0xFUL << 60 | 0xFFFF));
        Assert.Empty(guest.DrainPprs());
        machine.Write(Mmio.Control, GuestMachine.On & ~(1UL << 15)); // the host's PprEn comes first
        machine.Iommu.RequestPage(Page);
        Assert.Equal(9UL << 60 | Device, Assert.Single(machine.DrainEvents()).Low & (0xFUL << 60 | 0xFFFF));
    }

    [Fact]
    public void AnAutomaticAnswerGoesToTheDeviceItself()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        guest.WriteControl(0x30, guest.ReadControl(0x30) | 1 << 13 | 1 << 15);
        guest.Write(0x80, 0xF);
        machine.Iommu.RequestPage(Page);
        Assert.Equal(new PageResponse(new(Device), 3, 5, 15), Assert.Single(machine.Responses));
        Assert.Empty(guest.DrainPprs());
    }

    [Fact]
    public void SuppressionComesBeforeTheGuest()
    {
        using GuestMachine machine = Attached(out TestGuest guest);
        ulong word = machine.Peek(GuestMachine.DeviceTable + Device * 32 + 8);
        machine.Poke(GuestMachine.DeviceTable + Device * 32 + 8, word | Bits.SE);
        machine.Send(Bits.InvalidateDevice(Device));
        machine.Translate(Device, 0x1_0000);
        machine.Translate(Device, 0x1_0000);
        Assert.Single(guest.DrainEvents());
    }

    private static GuestMachine Attached(out TestGuest guest)
    {
        var machine = new GuestMachine();
        guest = machine.AddGuest(7, 0x1000).Start();
        GuestCommandTests.Attach(machine, guest);
        return machine;
    }
}
