using FastNest.Amd;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>The command ring (digest section 6, readings 40 to 47, 56, 60, 62, 63).</summary>
public sealed class CommandRingTests
{
    private const ulong AllFeatures =
        Mmio.BuiltEfr | Mmio.PprSup | Mmio.GTSup | Mmio.InvIotlbTypeSup | 1UL << 55;

    private static readonly (int Opcode, ulong Low, ulong High, ulong Feature)[] Forms =
    [
        (1, 0x000F_FFFF_FFFF_FFFE, ulong.MaxValue, 0), // without its store
        (2, 0xFFFF, 0, 0),
        (3, 0x0000_FFFF_000F_FFFF, 0xFFFF_FFFF_FFFF_F007, 0),
        (4, 0x0FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_F035, 0),
        (5, 0xFFFF, 0, 0),
        (6, 0x000F_FFFF_FF00_FFFF, 0xFFFF_FFFF_FFFF_F015, Mmio.PreFSup),
        (7, 0x000F_FFFF_0000_FFFF, 0x0000_FFFF_0000_0004, Mmio.PprSup),
        (8, 0, 0, Mmio.IASup),
        (9, 0x0000_FFFF_0000_0000, 0, 1UL << 55),
        (10, 0x9800_FFFF, 0, 1UL << 55),
    ];

    public static TheoryData<int, ulong, ulong, ulong> LegalForms
    {
        get
        {
            var forms = new TheoryData<int, ulong, ulong, ulong>();
            Array.ForEach(Forms, form => forms.Add(form.Opcode, form.Low, form.High, form.Feature));
            return forms;
        }
    }

    [Theory]
    [MemberData(nameof(LegalForms))]
    public void EveryFieldOfACommandMayBeSetAndEveryOtherBitStopsTheRing(int opcode, ulong low, ulong high, ulong feature)
    {
        _ = feature; // of another test
        using TestMachine machine = new TestMachine(AllFeatures).Start(eventCode: 15);
        machine.Send(Bits.Command(opcode, low, high));
        Assert.Equal((16UL, 1L), (machine.Read(Mmio.CommandHead), machine.Iommu.CommandsExecuted));
        for (int bit = 0; bit < 124; bit++)
        {
            bool isHigh = bit >= 60;
            ulong mask = isHigh ? 1UL << (bit - 60) : 1UL << bit;
            if (((isHigh ? high : low) & mask) != 0 || (opcode == 1 && bit == 0))
            {
                continue;
            }

            ulong head = machine.Read(Mmio.CommandHead);
            machine.Send(isHigh ? Bits.Command(opcode, 0, mask) : Bits.Command(opcode, mask));
            Assert.Equal((5UL << 60, TestMachine.CommandRing + head), machine.OnlyEvent());
            Assert.Equal(head, machine.Read(Mmio.CommandHead));
            Assert.Equal(0UL, machine.Status & Mmio.CmdBufRun);
            Restart(machine);
        }

        Assert.Equal(1, machine.Iommu.CommandsExecuted);
    }

    [Theory]
    [MemberData(nameof(LegalForms))]
    public void ACommandThatIsNotOfferedIsIllegal(int opcode, ulong low, ulong high, ulong feature)
    {
        using TestMachine machine = new TestMachine(AllFeatures & ~feature).Start();
        machine.Send(Bits.Command(opcode, low, high));
        Assert.Equal(feature != 0 ? 1 : 0, machine.DrainEvents().Count);
    }

    [Fact]
    public void OpcodesThatDoNotExistAreIllegal()
    {
        foreach (int opcode in new[] { 0, 11, 12, 13, 14, 15 })
        {
            using TestMachine machine = new TestMachine(AllFeatures).Start();
            machine.Send(Bits.Command(opcode));
            Assert.Equal((5UL << 60, TestMachine.CommandRing), machine.OnlyEvent());
        }
    }

    [Fact]
    public void TheInvalidationTypeNeedsItsFeatureAndGuestBitsDoNot()
    {
        using TestMachine machine = new TestMachine(AllFeatures & ~Mmio.InvIotlbTypeSup & ~Mmio.GTSup).Start();
        machine.SendAndWait(Bits.Command(4, 0, 4), Bits.Command(3, 0, 4)); // GN=1
        foreach (ulong type in new[] { 0x10UL, 0x20UL, 0x30UL })
        {
            machine.Send(Bits.Command(4, 0, type));
            Assert.Equal(5UL, machine.OnlyEvent().Low >> 60);
            Restart(machine);
        }
    }

    [Fact]
    public void AnIllegalCommandStopsTheRingUntilItIsEnabledAnew()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Send(Bits.StoreWait(TestMachine.Semaphore, 1), Bits.Command(0), Bits.StoreWait(TestMachine.Semaphore, 2));
        Assert.Equal((16UL, 1UL), (machine.Read(Mmio.CommandHead), machine.Peek(TestMachine.Semaphore)));
        machine.Poke(TestMachine.CommandRing + 16, 0);
        machine.Poke(TestMachine.CommandRing + 16, 0x2000_0000_0000_0000); // mended, but nobody looks
        machine.Write(Mmio.CommandTail, machine.Read(Mmio.CommandTail), 4);
        machine.Write(Mmio.Control, machine.Read(Mmio.Control));
        Assert.Equal(0UL, machine.Status & Mmio.CmdBufRun);
        machine.Write(Mmio.Control, machine.Read(Mmio.Control) & ~Mmio.CmdBufEn);
        Assert.Equal(1UL, machine.Peek(TestMachine.Semaphore));
        machine.Write(Mmio.Control, machine.Read(Mmio.Control) | Mmio.CmdBufEn);
        Assert.Equal(Mmio.CmdBufRun, machine.Status & Mmio.CmdBufRun);
        Assert.Equal((48UL, 2UL), (machine.Read(Mmio.CommandHead), machine.Peek(TestMachine.Semaphore)));
    }

    [Fact]
    public void IommuEnAloneDoesNotForgetAnIllegalCommand()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Send(Bits.Command(0));
        ulong control = machine.Read(Mmio.Control);
        machine.Write(Mmio.Control, control & ~Mmio.IommuEn);
        machine.Write(Mmio.Control, control);
        Assert.Equal(0UL, machine.Status & Mmio.CmdBufRun);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(15)]
    public void TheHeadWrapsToZeroAtTheEndOfTheRing(int code)
    {
        using TestMachine machine = new TestMachine().Start(commandCode: code);
        ulong length = 16UL << code;
        Fill(machine, 0, length - 16);
        machine.Write(Mmio.CommandTail, length - 16, 4);
        Assert.Equal(length - 16, machine.Read(Mmio.CommandHead));
        machine.Send(Bits.StoreWait(TestMachine.Semaphore, 0x55));
        Assert.Equal((0UL, 0UL), (machine.Read(Mmio.CommandHead), machine.Read(Mmio.CommandTail)));
        Assert.Equal(0x55UL, machine.Peek(TestMachine.Semaphore));
        Assert.Equal((long)(length / 16), machine.Iommu.CommandsExecuted);
        machine.SendAndWait(Bits.InvalidateAll());
        Assert.Equal(32UL, machine.Read(Mmio.CommandHead));
        Assert.Empty(machine.DrainEvents());
    }

    [Fact]
    public void ABatchOfCommandsMayLieAcrossTheEnd()
    {
        using TestMachine machine = new TestMachine().Start(commandCode: 8);
        Fill(machine, 0, 4096);
        machine.Write(Mmio.CommandTail, 4096 - 32, 4);
        machine.SendAndWait(Bits.InvalidateAll(), Bits.InvalidateAll(), Bits.InvalidateAll());
        Assert.Equal(32UL, machine.Read(Mmio.CommandHead));
    }

    [Fact]
    public void ARingWithAShortLengthCodeStandsStill()
    {
        for (int code = 0; code < 8; code++)
        {
            using TestMachine machine = new TestMachine().Start(commandCode: code);
            machine.Poke(TestMachine.CommandRing, 8UL << 60);
            machine.Write(Mmio.CommandTail, 16, 4);
            Assert.Equal((0UL, 0L), (machine.Read(Mmio.CommandHead), machine.Iommu.CommandsExecuted));
        }
    }

    [Fact]
    public void CommandsQueuedBeforeTheIommuIsEnabledRunThen()
    {
        using var machine = new TestMachine();
        machine.Write(Mmio.CommandBase, TestMachine.CommandRing | 9UL << 56);
        machine.Write(Mmio.Control, Mmio.CmdBufEn);
        machine.Send(Bits.StoreWait(TestMachine.Semaphore, 5));
        Assert.Equal((0UL, 0UL), (machine.Read(Mmio.CommandHead), machine.Peek(TestMachine.Semaphore)));
        machine.Write(Mmio.Control, Mmio.CmdBufEn | Mmio.IommuEn);
        Assert.Equal((16UL, 5UL), (machine.Read(Mmio.CommandHead), machine.Peek(TestMachine.Semaphore)));
    }

    [Fact]
    public void AnUnreadableCommandIsAHardwareError()
    {
        using var machine = new TestMachine();
        machine.Write(Mmio.EventBase, TestMachine.EventRing | 9UL << 56);
        machine.Write(Mmio.CommandBase, (TestMachine.RamSize - 0x1000) | 9UL << 56); // its second page is a hole
        Fill(machine, TestMachine.RamSize - 0x1000 - TestMachine.CommandRing, TestMachine.RamSize - TestMachine.CommandRing);
        machine.Write(Mmio.Control, Mmio.CmdBufEn | Mmio.EventLogEn | Mmio.IommuEn);
        machine.Write(Mmio.CommandTail, 0x1010, 4);
        Assert.Equal((6UL << 60 | 1UL << 57, TestMachine.RamSize), machine.OnlyEvent());
        Assert.Equal((0x1000UL, 0UL), (machine.Read(Mmio.CommandHead), machine.Status & Mmio.CmdBufRun));
        Assert.Equal((6UL << 60 | 1UL << 57, TestMachine.RamSize, 1UL), HardwareEvent(machine));
    }

    [Fact]
    public void AStoreThatFailsIsAHardwareErrorWithItsAddress()
    {
        foreach (ulong address in new[] { TestMachine.Hole, 0x000F_FFFF_FFFF_FFF8UL })
        {
            using TestMachine machine = new TestMachine().Start();
            machine.Send(Bits.StoreWait(address, 1), Bits.StoreWait(TestMachine.Semaphore, 1));
            Assert.Equal((6UL << 60 | 1UL << 57, address), machine.OnlyEvent());
            Assert.Equal((0UL, 0UL), (machine.Read(Mmio.CommandHead), machine.Peek(TestMachine.Semaphore)));
            Assert.Equal((0UL, 0L), (machine.Status & Mmio.CmdBufRun, machine.Iommu.CommandsExecuted));
        }
    }

    [Fact]
    public void AStoreIntoAWindowFails()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Memory.AddMmio(TestMachine.Hole, 0x1000, machine.Iommu);
        machine.Send(Bits.StoreWait(TestMachine.Hole, 1));
        Assert.Equal((6UL << 60 | 1UL << 57, TestMachine.Hole), machine.OnlyEvent());
    }

    [Theory]
    [InlineData(false, false, false)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, true, false)]
    [InlineData(false, true, true)]
    [InlineData(true, true, true)]
    public void ACompletionStoresAndInterruptsAsAsked(bool store, bool interrupt, bool enabled)
    {
        using TestMachine machine = new TestMachine().Start(enabled ? Mmio.ComWaitIntEn : 0);
        machine.Poke(TestMachine.Semaphore, 7);
        machine.Send(Bits.Command(1, (store ? 1UL : 0) | (interrupt ? 2UL : 0) | 4 | TestMachine.Semaphore, 0xFEDC_BA98_7654_3210));
        Assert.Equal(store ? 0xFEDC_BA98_7654_3210 : 7UL, machine.Peek(TestMachine.Semaphore));
        Assert.Equal(interrupt ? Mmio.ComWaitInt : 0, machine.Status & Mmio.ComWaitInt);
        Assert.Equal(interrupt && enabled ? [IommuInterrupt.CompletionWait] : [], machine.Interrupts);
        machine.Write(Mmio.Status, Mmio.ComWaitInt);
        Assert.Equal(0UL, machine.Status & Mmio.ComWaitInt);
    }

    [Fact]
    public void AStoreTakesEveryEightByteAddress()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Send(Bits.StoreWait(TestMachine.Semaphore + 0xFF8, 3));
        Assert.Equal(3UL, machine.Peek(TestMachine.Semaphore + 0xFF8));
    }

    /// <summary>Reading 62.</summary>
    [Theory]
    [InlineData(TestMachine.Semaphore, true)]
    [InlineData(TestMachine.Semaphore + 0xFF8, true)]
    [InlineData(TestMachine.Semaphore + 0x1000, false)]
    [InlineData(TestMachine.Semaphore - 8, false)]
    public void WithSnpStoresAreBounded(ulong address, bool allowed)
    {
        using TestMachine machine = new TestMachine(Mmio.BuiltEfr | Mmio.SnpSup).Start();
        machine.Write(Mmio.ExclusionBase, TestMachine.Semaphore);
        machine.Write(Mmio.ExclusionLimit, TestMachine.Semaphore);
        machine.Send(Bits.StoreWait(address, 9));
        Assert.Equal(allowed ? 9UL : 0, machine.Peek(address));
        Assert.Equal(allowed ? 0 : 1, machine.DrainEvents().Count);
    }

    [Fact]
    public void ATailWriteOfTheHeadDoesNothing()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.CommandTail, 0, 4);
        Assert.Equal(0, machine.Iommu.CommandsExecuted);
    }

    private static (ulong, ulong, ulong) HardwareEvent(TestMachine machine) =>
        (machine.Read(Mmio.HwEventUpper), machine.Read(Mmio.HwEventLower), machine.Read(Mmio.HwEventStatus));

    private static void Fill(TestMachine machine, ulong from, ulong to)
    {
        for (ulong at = from; at < to; at += 16)
        {
            machine.Poke(TestMachine.CommandRing + at, 2UL << 60);
            machine.Poke(TestMachine.CommandRing + at + 8, 0);
        }
    }

    /// <summary>Takes the failed command back and enables the ring anew.</summary>
    private static void Restart(TestMachine machine)
    {
        ulong control = machine.Read(Mmio.Control);
        machine.Write(Mmio.CommandTail, machine.Read(Mmio.CommandHead), 4);
        machine.Write(Mmio.Control, control & ~Mmio.CmdBufEn);
        machine.Write(Mmio.Control, control);
        Assert.Equal(Mmio.CmdBufRun, machine.Status & Mmio.CmdBufRun);
    }
}
