using FastNest.Amd;
using FastNest.Amd.Viommu;
using FastNest.Memory;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd.Viommu;

/// <summary>VF page, VF control registers, the guest's MMIO and the PCI capability (digest sections 8.2 to 8.4, 8.9).</summary>
public sealed class GuestRegisterTests
{
    /// <summary>Section 8.4: bits of the guest's Control register and where they stand.</summary>
    private static readonly (int Guest, ulong Register, int Bit)[] ControlBits =
    [
        (12, 0x20, 8), (4, 0x20, 9), (2, 0x28, 8), (3, 0x28, 9), (13, 0x30, 8), (14, 0x30, 9), (15, 0x30, 10), (39, 0x30, 13),
        (42, 0x30, 15),
    ];

    [Fact]
    public void TheGuestsControlBitsAreSplitAndPutTogetherAgain()
    {
        using var machine = new GuestMachine();
        GuestMmio mmio = machine.Viommu.OpenGuestMmio(9, IommuFeatures.Built);
        foreach ((int bit, ulong register, int place) in ControlBits)
        {
            mmio.Write(0x18, 8, 1 | 1UL << bit);
            Assert.Equal(1 | 1UL << bit, mmio.Read(0x18, 8));
            Assert.All(
                new ulong[] { 0x18, 0x20, 0x28, 0x30, 0x38 },
                at => Assert.Equal(at == register ? 1UL << place : 0, machine.Viommu.VfControl.Read(9 * 64 + at, 8)));
        }

        mmio.Write(0x18, 8, 0);
        Assert.Equal(0UL, machine.Viommu.VfControl.Read(9 * 64 + 0x30, 8));
    }

    [Fact]
    public void BasesAndLengthsAreSplitWithTheirEnablesKept()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000);
        guest.WriteControl(0x20, 1 << 9);
        guest.Mmio.Write(0x08, 8, 0xF_1234_5678_9000 | 10UL << 56);
        guest.Mmio.Write(0x10, 4, 0x1000);
        guest.Mmio.Write(0x14, 4, 0x0B00_0000);
        guest.Mmio.Write(0x38, 8, 0xF_1234_5678_9000 | 12UL << 56);
        Assert.Equal(0xF_1234_5678_9000UL | 10 | 1 << 9, guest.ReadControl(0x20));
        Assert.Equal(0x1000UL | 11, guest.ReadControl(0x28));
        Assert.Equal(0xF_1234_5678_9000UL << 4 | 12, guest.ReadControl(0x30)); // shifted, unlike the others (trap 33)
        Assert.Equal(0xF_1234_5678_9000UL | 12UL << 56, guest.Mmio.Read(0x38, 8));
        Assert.Equal(0x0B00_0000UL, guest.Mmio.Read(0x14, 4));
    }

    [Fact]
    public void EveryFieldOfAControlRegisterReadsBackAndNothingElseDoes()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000);
        ulong map = 0x3FFF_C000_3FFF_C001;
        ulong address = 0xF_FFFF_FFFF_F000;
        (ulong At, ulong Mask)[] masks =
        [
            (0x00, map), (0x08, map), (0x10, 0xFFFF_0000), (0x18, address), (0x20, address | 0x30F), (0x28, address | 0xFFF),
            (0x30, address << 4 | 0xFFFF & ~0UL), (0x38, address),
        ];
        foreach ((ulong at, ulong mask) in masks)
        {
            guest.WriteControl(at, ulong.MaxValue >> 1); // without bit 63
            Assert.Equal(mask, guest.ReadControl(at));
            guest.WriteControl(at, 0, 4);
            Assert.Equal(mask & ~0xFFFF_FFFFUL, guest.ReadControl(at));
            guest.WriteControl(at, 0);
        }
    }

    [Fact]
    public void AMapRegisterWritesTheTableInItsOwnFormat()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000);
        machine.Poke(guest.DevIds + 0x20 * 16 + 8, ulong.MaxValue);
        guest.MapDevice(0x20, 0xABCD);
        guest.MapDomain(0x30, 0x1234);
        Assert.Equal(0xABCDUL << 24 | 1, machine.Peek(guest.DevIds + 0x20 * 16));
        Assert.Equal(0UL, machine.Peek(guest.DevIds + 0x20 * 16 + 8));
        Assert.Equal(0x1234UL << 24 | 1, machine.Peek(guest.DomIds + 0x30 * 8));
        Assert.Equal(0x20UL << 46 | 0xABCDUL << 14 | 1, guest.ReadControl(0x00));
        guest.WriteControl(0x00, TestGuest.MapWord(0x20, 0xFFFF, true) & ~(1UL << 63));
        Assert.Equal(0xABCDUL << 24 | 1, machine.Peek(guest.DevIds + 0x20 * 16));
        guest.WriteControl(0x04, 1U << 31 | 0x20U << 14, 4); // the upper half alone sets it going
        Assert.Equal(0xFFFFUL << 24 | 1, machine.Peek(guest.DevIds + 0x20 * 16));
        guest.MapDomain(0x30, 0, valid: false);
        Assert.Equal(0UL, machine.Peek(guest.DomIds + 0x30 * 8));
    }

    [Fact]
    public void AMapThatCannotBeWrittenIsToldToTheHost()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000);
        guest.MapDevice(0x2000, 1); // on a page that is not mapped
        Assert.Equal((0xCUL << 60 | 1UL << 30 | 9, 0x10_0000_0000UL + (9UL << 20) + 0x2000 * 16), Assert.Single(machine.DrainEvents()));
    }

    [Fact]
    public void TheVfPageIsTheGuestsThirdPage()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000).Start();
        guest.SendAndWait();
        guest.Write(0x10, 0xFFFF_FFFF);
        Assert.All(
            Enumerable.Range(0, 512).Select(static i => (ulong)i * 8),
            at => Assert.Equal(guest.Read(at), guest.Mmio.Read(0x2000 + at, 8)));
        Assert.Equal((16UL, 16UL, 0xFF0UL), (guest.Read(0), guest.Read(8), guest.Read(0x10)));
        guest.Mmio.Write(0x2008, 4, guest.Queue(Bits.StoreWait(TestGuest.Semaphore, 7)));
        Assert.Equal((32UL, 7UL), (guest.Read(0), guest.Peek(TestGuest.Semaphore)));
        guest.Write(0x00, 0); // locked while it runs
        Assert.Equal(32UL, guest.Read(0));
        guest.Mmio.Write(0x08, 8, 0); // so is the base
        Assert.Equal(TestGuest.CommandRing | 8UL << 56, guest.Mmio.Read(0x08, 8));
    }

    [Fact]
    public void AGuestSeesTheFeaturesThatItIsOffered()
    {
        using var machine = new GuestMachine();
        ulong efr = machine.Viommu.OpenGuestMmio(9).Read(Mmio.Efr, 8);
        const ulong allowed = 1 << 1 | 1 << 4 | 1 << 7 | 3 << 12 | 3 << 14 | 0x1FUL << 32 | 1UL << 48 | 1UL << 50;
        Assert.Equal(machine.Read(Mmio.Efr) & allowed, efr);
        Assert.Equal(0x1234UL, machine.Viommu.OpenGuestMmio(9, new(0x1234)).Read(Mmio.Efr, 8));
        Assert.Equal(0UL, machine.Viommu.OpenGuestMmio(9).Read(Mmio.Efr2, 8));
    }

    [Fact]
    public void ARestOfTheGuestsRegistersIsKeptForIt()
    {
        using var machine = new GuestMachine();
        GuestMmio first = machine.Viommu.OpenGuestMmio(9);
        first.Write(0, 8, 0x1234_5000 | 3);
        Assert.Equal(0x1234_5003UL, first.Read(0, 8));
        Assert.Equal(0UL, machine.Viommu.OpenGuestMmio(10).Read(0, 8));
        Assert.Equal(0UL, first.Read(0x3FFF, 8) | first.Read(0x4000, 8) | first.Read(ulong.MaxValue, 1));
        first.Write(0x3000, 8, ulong.MaxValue);
        first.Write(ulong.MaxValue, 1, 1);
        first.Write(0x2FFD, 8, 1);
    }

    [Fact]
    public void RegionsEndWhereTheyEnd()
    {
        using var machine = new GuestMachine();
        IMmioWindow vf = machine.Viommu.VfMmio;
        IMmioWindow control = machine.Viommu.VfControl;
        vf.Write(ViommuHardware.VfSize + 8, 8, 0x10);
        control.Write(ViommuHardware.VfControlSize + 0x10, 8, ulong.MaxValue);
        control.Write(0x10, 3, ulong.MaxValue);
        control.Write(0x12, 4, ulong.MaxValue);
        Assert.Equal(0UL, control.Read(0x10, 8) | control.Read(ViommuHardware.VfControlSize + 0x10, 8) | vf.Read(8, 8));
        control.Write(ViommuHardware.VfControlSize - 0x30, 8, ulong.MaxValue);
        Assert.Equal(0xFFFF_0000UL, control.Read(0xFFFF * 64 + 0x10, 8));
    }

    [Fact]
    public void TheCapabilityTellsWhereTheRegionsAre()
    {
        using var memory = new GuestPhysicalSpace();
        var iommu = new AmdIommu(memory, new()
        {
            Features = IommuFeatures.BuiltForGuests,
            Viommu = new() { VfBase = 0x12_3000_0000, VfControlBase = 0x45_6780_0000, NextCapability = 0x54 },
        });
        ViommuCapability capability = iommu.Viommu!.Capability;
        uint[] dwords = [.. Enumerable.Range(0, 6).Select(i => capability.Read(i * 4, 4))];
        Assert.Equal(new uint[] { 0x0018_5409, 0, 0x3000_0001, 0x12, 0x6780_0001, 0x45 }, dwords);
        Assert.Equal((0x54U, 0x18U, 0x6780U), (capability.Read(1, 1), capability.Read(2, 2), capability.Read(0x12, 2)));
        Assert.Equal(0U, capability.Read(0x18, 4) | capability.Read(-4, 4) | capability.Read(2, 4) | capability.Read(8, 8));
    }

    [Theory]
    [InlineData(0x100_0000UL, 0UL, "VfBase")]
    [InlineData(0UL, 0x1000UL, "VfControlBase")]
    public void AMisplacedRegionIsRefused(ulong vf, ulong control, string name)
    {
        using var memory = new GuestPhysicalSpace();
        var options = new AmdIommuOptions { Features = IommuFeatures.BuiltForGuests, Viommu = new() { VfBase = vf, VfControlBase = control } };
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => new AmdIommu(memory, options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutTheFeatureThereIsNothing()
    {
        using var memory = new GuestPhysicalSpace();
        Assert.Null(new AmdIommu(memory).Viommu);
        var one = new AmdIommuOptions { Features = IommuFeatures.BuiltForGuests, Viommu = new() { Turn = 0 } };
        Assert.Throws<ArgumentOutOfRangeException>(() => new AmdIommu(memory, one));
    }

    [Theory]
    [InlineData(0x8000_0000UL | 1 << 28)]
    [InlineData(1UL << 27)]
    public void AResetOfEverythingForgetsTheGuest(ulong flags)
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000).Start();
        TestGuest other = machine.AddGuest(10, 0x1001).Start();
        guest.SendAndWait(Bits.Command(1, 2));
        machine.Send(Bits.Command(10, flags | 9));
        Assert.All(Enumerable.Range(0, 512), i => Assert.Equal(0UL, guest.Read((ulong)i * 8)));
        Assert.All(Enumerable.Range(0, 8), i => Assert.Equal(0UL, guest.ReadControl((ulong)i * 8)));
        other.SendAndWait();
        guest.Start().SendAndWait();
    }

    [Fact]
    public void AResetOfCommandsLeavesTheRestAndWithoutAFlagEverything()
    {
        using var machine = new GuestMachine();
        TestGuest guest = machine.AddGuest(9, 0x1000).Start();
        guest.SendAndWait(Bits.Command(1, 2));
        ulong before = guest.ReadControl(0x20);
        machine.Send(Bits.Command(10, 9));
        Assert.Equal((before, 32UL), (guest.ReadControl(0x20), guest.Read(0)));
        ulong events = guest.ReadControl(0x28);
        machine.Send(Bits.Command(10, 0x8000_0000 | 9));
        Assert.Equal((0UL, 0UL, 0UL), (guest.ReadControl(0x20), guest.Read(0), guest.Read(8)));
        Assert.Equal((events, 0x1000_0000UL), (guest.ReadControl(0x28), guest.ReadControl(0x10)));
        Assert.Equal(Mmio.EventLogRun, guest.Status & (Mmio.EventLogRun | Mmio.CmdBufRun | Mmio.ComWaitInt));
    }

    [Fact]
    public void AResetWhileCommandsWaitDropsThem()
    {
        using var machine = new GuestMachine(turn: 1);
        TestGuest guest = machine.AddGuest(9, 0x1000).Start();
        guest.Send(Bits.InvalidateDevice(1), Bits.InvalidateDevice(1), Bits.StoreWait(TestGuest.Semaphore, 1));
        machine.Send(Bits.Command(10, 0x9000_0000 | 9));
        Assert.False(machine.Viommu.RunGuests());
        Assert.Equal(0UL, guest.Peek(TestGuest.Semaphore));
    }
}
