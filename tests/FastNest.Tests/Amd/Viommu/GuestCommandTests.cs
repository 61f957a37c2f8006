using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd.Viommu;

/// <summary>Guests' command buffers (digest sections 8.6 and 8.7, readings 92 to 99, 104).</summary>
public sealed class GuestCommandTests
{
    private const uint Device = 0x0310;
    private const ushort Domain = 0x77;
    private const ulong VCmd = 1UL << 31;
    private const ulong VPtr = 1UL << 30;

    [Fact]
    public void ACommandRunsWithoutTheHostAndItsCompletionIsStoredInTheGuestsMemory()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.Send(Bits.StoreWait(TestGuest.Semaphore, 0x1234_5678_9ABC_DEF0));
        Assert.Equal(0x1234_5678_9ABC_DEF0UL, machine.Peek(guest.HostMemory + TestGuest.Semaphore));
        Assert.Equal((16UL, 1L, 0L), (guest.Read(0x00), machine.Viommu.CommandsExecuted, machine.Iommu.CommandsExecuted));
        Assert.Empty(machine.Interrupts);
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void TheRingWrapsManyTimes()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        for (int i = 0; i < 100; i++)
        {
            guest.SendAndWait([.. Enumerable.Repeat(Bits.InvalidateDevice(1), i)]);
        }

        Assert.Equal(100L * 99 / 2 + 100, machine.Viommu.CommandsExecuted);
        Assert.Equal((ulong)(100 * 99 / 2 + 100) * 16 % 4096, guest.Read(0x00));
        Assert.Empty(guest.DrainEvents());
    }

    [Fact]
    public void AnInvalidationOfPagesReachesTheHostDomainThatTheGuestsIsMappedTo()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        ulong leaf = Attach(machine, guest);
        Assert.Equal(guest.HostMemory + 0x5000, machine.Translate(Device, 0x9000).Address);
        guest.Poke(leaf, 0x6000 | 7); // the guest maps another page
        guest.MapDomain(3, Domain + 1);
        guest.SendAndWait(Bits.Command(3, 3UL << 32, 0x7FFF_FFFF_FFFF_F000 | 7)); // of another domain: everything, PDE, GN
        Assert.Equal(guest.HostMemory + 0x5000, machine.Translate(Device, 0x9000).Address);
        guest.MapDomain(3, Domain);
        guest.SendAndWait(Bits.Command(3, 3UL << 32, 0x9000 | 6)); // the page alone
        Assert.Equal(guest.HostMemory + 0x6000, machine.Translate(Device, 0x9000).Address);
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void ADomainWithoutMappingIsToldToTheHostOnceAndTheRingGoesOn()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.SendAndWait(Bits.Command(3, 9UL << 32, 0x7FFF_FFFF_FFFF_F007), Bits.Command(3, 8UL << 32, 0x7FFF_FFFF_FFFF_F007));
        Assert.Equal((0xCUL << 60 | VCmd | 5, GuestMachine.DomIds + (5UL << 19) + 9 * 8), Assert.Single(machine.DrainEvents()));
        Assert.Empty(guest.DrainEvents());
        guest.MapDomain(9, 1); // re-arms
        guest.SendAndWait(Bits.Command(3, 9UL << 32, 0x7FFF_FFFF_FFFF_F007), Bits.Command(3, 8UL << 32, 0x7FFF_FFFF_FFFF_F007));
        Assert.Equal(GuestMachine.DomIds + (5UL << 19) + 8 * 8, Assert.Single(machine.DrainEvents()).High);
        guest.MapDomain(9, 1, valid: false);
        guest.SendAndWait(Bits.Command(3, 9UL << 32, 0x7FFF_FFFF_FFFF_F007));
        Assert.Equal(GuestMachine.DomIds + (5UL << 19) + 9 * 8, Assert.Single(machine.DrainEvents()).High);
    }

    [Fact]
    public void ADeviceIsToldWithTheHostsIdAndNeverTheGuestsOwn()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.MapDevice(0x20, 0x0310);
        guest.MapDevice(0x21, 0); // nobody
        guest.SendAndWait(
            Bits.Command(4, 0x20 | 0x5UL << 48, 0x4000 | 4), Bits.Command(4, 0x21, 0x4000),
            Bits.Command(7, 0x20 | 7UL << 32, 9UL << 32 | 0xFUL << 44 | 4), Bits.Command(7, 0x21, 9UL << 32));
        Assert.Equal(new DeviceTlbInvalidation(new(0x0310), 5, 0x4000, 12), Assert.Single(machine.DeviceTlbs));
        Assert.Equal(new PageResponse(new(0x0310), 7, 9, 15), Assert.Single(machine.Responses));
        Assert.Empty(machine.DrainEvents());
        guest.SendAndWait(Bits.Command(4, 0x22, 0x4000), Bits.Command(7, 0x22, 9UL << 32));
        Assert.Equal((0xCUL << 60 | VCmd | 5, GuestMachine.DevIds + (5UL << 20) + 0x22 * 16), Assert.Single(machine.DrainEvents()));
        Assert.Single(machine.DeviceTlbs);
        Assert.Single(machine.Responses);
    }

    [Fact]
    public void ADeviceThatDoesNotAnswerIsToldToTheGuestInItsTerms()
    {
        using var machine = new GuestMachine(deviceTlb: static _ => false);
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.MapDevice(0x20, 0x0310);
        guest.SendAndWait(Bits.Command(2), Bits.Command(4, 0x20, 0x4000));
        Assert.Equal((7UL << 60 | 0x20, TestGuest.CommandRing + 16), Assert.Single(guest.DrainEvents()));
        Assert.Empty(machine.DrainEvents());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(15)]
    public void AnIllegalCommandStopsThatGuestAlone(int opcode)
    {
        using var machine = new GuestMachine();
        TestGuest first = machine.AddGuest(5, 0x1000).Start();
        TestGuest second = machine.AddGuest(6, 0x1001).Start();
        first.Send(Bits.Command(1), Bits.Command(opcode), Bits.StoreWait(TestGuest.Semaphore, 9));
        Assert.Equal((5UL << 60, TestGuest.CommandRing + 16), Assert.Single(first.DrainEvents()));
        Assert.Equal((16UL, 0UL, 0UL), (first.Read(0), first.Status & Mmio.CmdBufRun, first.Peek(TestGuest.Semaphore)));
        second.SendAndWait(Bits.InvalidateDevice(3));
        machine.Send(Bits.InvalidateAll());
        Assert.Empty(machine.DrainEvents());
        Assert.Empty(second.DrainEvents());
        first.Write(0x08, 48);
        Assert.Equal(16UL, first.Read(0));
        first.Poke(TestGuest.CommandRing + 16, 2UL << 60);
        ulong control = first.Mmio.Read(0x18, 8);
        first.Mmio.Write(0x18, 8, control & ~Mmio.CmdBufEn);
        first.Mmio.Write(0x18, 8, control);
        Assert.Equal((48UL, 9UL), (first.Read(0), first.Peek(TestGuest.Semaphore)));
    }

    [Fact]
    public void CommandsAboutTheGuestsOwnTablesAreConsumedWithoutAnyLookUp()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.SendAndWait(Bits.InvalidateDevice(0x99), Bits.Command(5, 0x99), Bits.Command(6, 0x99));
        Assert.Empty(machine.DrainEvents());
        Assert.Equal(4, machine.Viommu.CommandsExecuted);
    }

    [Fact]
    public void AGuestCannotReachMemoryThatIsNotMappedForIt()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.Send(Bits.StoreWait(TestGuest.MemorySize, 1));
        Assert.Equal((6UL << 60 | 1UL << 57, TestGuest.MemorySize), Assert.Single(guest.DrainEvents()));
        Assert.Equal((0xCUL << 60 | VCmd | VPtr | 1UL << 16 | 5, TestGuest.MemorySize), Assert.Single(machine.DrainEvents()));
        Assert.Equal((0UL, 0UL), (guest.Read(0), guest.Status & Mmio.CmdBufRun));
    }

    [Fact]
    public void AReadOnlyPageTakesNoCompletion()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.Map(guest.Root, TestGuest.Semaphore, guest.HostMemory + TestGuest.Semaphore, Bits.IR);
        guest.Send(Bits.StoreWait(TestGuest.Semaphore, 1));
        Assert.Equal(0UL, guest.Peek(TestGuest.Semaphore));
        Assert.Single(guest.DrainEvents());
    }

    [Fact]
    public void ARingOutOfReachStopsAndBothSidesAreTold()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.Mmio.Write(0x18, 8, guest.Mmio.Read(0x18, 8) & ~Mmio.CmdBufEn);
        guest.Mmio.Write(0x08, 8, 0x100_0000 | 8UL << 56);
        guest.Mmio.Write(0x18, 8, guest.Mmio.Read(0x18, 8) | Mmio.CmdBufEn);
        guest.Write(0x08, 0x20);
        Assert.Equal((6UL << 60 | 1UL << 57, 0x100_0000UL), Assert.Single(guest.DrainEvents()));
        Assert.Equal((0xCUL << 60 | VCmd | 1UL << 16 | 5, 0x100_0000UL), Assert.Single(machine.DrainEvents()));
    }

    [Theory]
    [InlineData(0UL)] // V=0: no way past translation
    [InlineData(Bits.V)] // TV=0
    [InlineData(Bits.V | Bits.TV)] // Mode 0 without IR and IW
    public void ATranslateDeviceThatDoesNotTranslateGivesNoAccess(ulong dte)
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.SetDte(0x1000, dte);
        machine.Send(Bits.InvalidateDevice(0x1000));
        machine.Poke(TestGuest.CommandRing, 1UL << 60 | 1 | TestMachine.Semaphore);
        machine.Poke(TestGuest.CommandRing + 8, 0x666);
        guest.Write(0x08, 16);
        Assert.NotEqual(0x666UL, machine.Peek(TestMachine.Semaphore));
        Assert.Equal([0xCUL, 0xBUL], machine.DrainEvents().Select(static entry => entry.Low >> 60)); // the ring, and the log about it
    }

    [Fact]
    public void WithoutATranslateDeviceThereIsNoAccessWhateverDeviceZeroMayDo()
    {
        using var machine = new GuestMachine();
        machine.SetDte(0, Bits.DteLow(0, 0));
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        guest.WriteControl(0x10, 0);
        machine.Poke(TestGuest.CommandRing, 1UL << 60 | 1 | TestMachine.Semaphore);
        machine.Poke(TestGuest.CommandRing + 8, 0x666);
        guest.Write(0x08, 16);
        Assert.NotEqual(0x666UL, machine.Peek(TestMachine.Semaphore));
        Assert.Equal([0xCUL, 0xBUL], machine.DrainEvents().Select(static entry => entry.Low >> 60));
    }

    [Fact]
    public void TheTranslationIsTheHostTablesAloneAndItsInvalidationsHold()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.SetDte(0x1000, Bits.DteLow(guest.Root, 5) | Bits.GuestLow(0x1000) | 1UL << 54, 0x1000);
        machine.Send(Bits.InvalidateDevice(0x1000));
        guest.SendAndWait();
        machine.Map(guest.Root, TestGuest.Semaphore, guest.HostMemory + TestGuest.Semaphore + 0x1000);
        guest.Send(Bits.StoreWait(TestGuest.Semaphore, 0x51));
        Assert.Equal(0x51UL, guest.Peek(TestGuest.Semaphore)); // cached
        machine.Send(Bits.InvalidatePages(0x1000, TestGuest.Semaphore, false));
        guest.Send(Bits.StoreWait(TestGuest.Semaphore, 0x52));
        Assert.Equal((0x51UL, 0x52UL), (guest.Peek(TestGuest.Semaphore), guest.Peek(TestGuest.Semaphore + 0x1000)));
    }

    [Theory]
    [InlineData(Mmio.IommuEn)]
    [InlineData(GuestMachine.VCmdEn)]
    [InlineData(GuestMachine.ViommuEn)]
    public void CommandsWaitForTheHostsEnables(ulong bit)
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.Write(Mmio.Control, GuestMachine.On & ~bit);
        guest.Send(Bits.StoreWait(TestGuest.Semaphore, 1));
        Assert.Equal((0UL, 0UL, Mmio.CmdBufRun), (guest.Read(0), guest.Peek(TestGuest.Semaphore), guest.Status & Mmio.CmdBufRun));
        Assert.False(machine.Viommu.RunGuests());
        Assert.Equal(0UL, guest.Read(0));
        machine.Write(Mmio.Control, GuestMachine.On);
        Assert.Equal((16UL, 1UL), (guest.Read(0), guest.Peek(TestGuest.Semaphore)));
        Assert.False(machine.Viommu.RunGuests());
    }

    [Fact]
    public void AGuestHasTurnsAndTheOthersHaveTheirsBetweenThem()
    {
        using var machine = new GuestMachine(turn: 4);
        TestGuest first = machine.AddGuest(5, 0x1000).Start();
        TestGuest second = machine.AddGuest(6, 0x1001).Start();
        first.Send([.. Enumerable.Repeat(Bits.InvalidateDevice(1), 10)]);
        second.Send([.. Enumerable.Repeat(Bits.InvalidateDevice(1), 9)]);
        Assert.Equal((4UL * 16, 4UL * 16), (first.Read(0), second.Read(0)));
        Assert.True(machine.Viommu.RunGuests());
        Assert.Equal((8UL * 16, 8UL * 16), (first.Read(0), second.Read(0)));
        Assert.False(machine.Viommu.RunGuests());
        Assert.Equal((10UL * 16, 9UL * 16), (first.Read(0), second.Read(0)));
        Assert.Equal(19, machine.Viommu.CommandsExecuted);
    }

    [Fact]
    public void InTheOldModeRingsStandInTheirPrivateSlotsAndCompletionsInTheGuestsMemory()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(5, 0x1000).Start();
        machine.Write(Mmio.Control, GuestMachine.On & ~GuestMachine.GstBufferTrpMode);
        ulong commands = machine.MapPrivate(0x28_0000_0000 + 5 * 0x8_0000);
        ulong events = machine.MapPrivate(0x40_0000_0000 + 5 * 0x8_0000);
        machine.Poke(commands, 1UL << 60 | 1 | TestGuest.Semaphore);
        machine.Poke(commands + 8, 0x99);
        guest.Write(0x08, 0x20);
        Assert.Equal((16UL, 0x99UL), (guest.Read(0), guest.Peek(TestGuest.Semaphore)));
        Assert.Equal((5UL << 60, 16UL), (machine.Peek(events), machine.Peek(events + 8))); // opcode 0
    }

    [Fact]
    public void ACompletionInterruptsTheGuest()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(0xBEEF, 0x1000).Start();
        guest.Send(Bits.Command(1, 2));
        Assert.Equal(new(0xBEEF, IommuInterrupt.CompletionWait), Assert.Single(machine.Interrupts));
        Assert.Equal(Mmio.ComWaitInt, guest.Status & Mmio.ComWaitInt);
        guest.Write(0x20, Mmio.ComWaitInt);
        Assert.Equal(0UL, guest.Status & Mmio.ComWaitInt);
        Assert.Equal(0UL, machine.Read(Mmio.Status) & Mmio.ComWaitInt);
    }

    [Fact]
    public void TheDirtyBitTellsOfEachGuestApart()
    {
        using var machine = new GuestMachine();
        machine.MapPrivate(GuestMachine.DirtyStatus);
        machine.MapPrivate(GuestMachine.DirtyStatus + 0x1000);
        ushort[] ids = [0x0005, 0x2005, 0x2105, 0xFFFF, 0x0105];
        TestGuest[] guests = [.. ids.Select((id, i) => machine.AddGuest(id, 0x1000 + (uint)i).Start())];
        foreach (TestGuest guest in guests)
        {
            guest.SendAndWait();
            Assert.All(ids, id => Assert.Equal(id == guest.Id, machine.Viommu.TakeDirty(id)));
            Assert.False(machine.Viommu.TakeDirty(guest.Id));
        }
    }

    /// <summary>A device of the guest's with a v2 table that maps 9000h to 5000h, PASID-less through PASID 0.</summary>
    /// <returns>The leaf's guest physical address.</returns>
    internal static ulong Attach(GuestMachine machine, TestGuest guest, uint device = Device, ushort gdevice = 0x20, ushort domain = Domain)
    {
        ulong gcr3 = TestGuest.FirstTable;
        ulong table = gcr3 + 0x1000;
        guest.Poke(gcr3, table | 1);
        for (int level = 4; level > 1; level--)
        {
            guest.Poke(table, (table + 0x1000) | 7);
            table += 0x1000;
        }

        guest.Poke(table + 9 * 8, 0x5000 | 7);
        machine.SetDte(
            device,
            Bits.DteLow(guest.Root, 5) | Bits.GuestLow(gcr3) | 1UL << 54 | 1UL << 52,
            domain | Bits.GuestMiddle(gcr3),
            0,
            1UL << 15 | (ulong)gdevice << 16 | (ulong)guest.Id << 32);
        machine.Send(Bits.InvalidateDevice(device));
        return table + 9 * 8;
    }
}
