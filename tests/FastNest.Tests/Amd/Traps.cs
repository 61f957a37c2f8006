using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>What other emulators got wrong: the digest's section 10, one test a trap that a model of translation can fall into.</summary>
public sealed class Traps : IDisposable
{
    private const uint Device = 0x1A5B; // bus 1Ah: a devfn alone would miss it
    private const ushort Domain = 0x4242;
    private readonly TestMachine _machine = new();

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void Trap01_NextLevel7WithZeroLowBitsIs8KiB()
    {
        ulong root = Attach(1);
        _machine.Poke(root, Bits.PR | 7 << 9 | 0x10_0000 | Bits.IR);
        _machine.Poke(root + 8, Bits.PR | 7 << 9 | 0x10_0000 | Bits.IR);
        TranslationResult result = _machine.Translate(Device, 0x1234);
        Assert.Equal((0x10_1234UL, 13), (result.Address, result.PageShift));
    }

    [Theory]
    [InlineData(2, 21)]
    [InlineData(3, 30)]
    public void Trap02_NextLevel0AboveLevel1IsALargePage(int level, int shift)
    {
        ulong root = Attach(3);
        _machine.SetEntry(root, 3, 0, level, Bits.Pte(0x40_0000_0000));
        TranslationResult result = _machine.Translate(Device, 0x12_3456);
        Assert.Equal((0x40_0012_3456UL, shift), (result.Address, result.PageShift));
    }

    [Theory]
    [InlineData(0UL, 4)]
    [InlineData(1UL, 5)]
    [InlineData(2UL, 6)]
    public void Trap03_HatsTwoIsSixLevels(ulong hats, int levels)
    {
        using TestMachine machine = new TestMachine(hats << 10).Start();
        for (int mode = 1; mode <= 6; mode++)
        {
            machine.SetDte((uint)mode, Bits.DteLow(machine.NewTable(), mode));
            Assert.Equal(mode <= levels ? FaultReason.NotPresent : FaultReason.ContextEncoding, machine.Translate((uint)mode, 0).Reason);
        }
    }

    [Fact]
    public void Trap04_InterruptsAreGovernedByIvAlone()
    {
        _machine.Start();
        _machine.SetDte(Device, 0, 0, 1); // V=0, IV=1, IntCtl=0
        Assert.Equal(FaultReason.MessageBlocked, _machine.Translate(Device, 0xFEE0_0000, Access.Write).Reason);
        Assert.True(_machine.Translate(Device, 0x1000).Succeeded);
    }

    [Fact]
    public void Trap05_ABadEntryBlocks()
    {
        _machine.Start();
        _machine.SetDte(Device, Bits.DteLow(0, 7));
        Assert.False(_machine.Translate(Device, 0x1000).Succeeded);
    }

    [Fact]
    public void Trap06_NotValidPassesButNotTranslatingBlocks()
    {
        _machine.Start();
        _machine.SetDte(Device, 0);
        _machine.SetDte(Device + 1, Bits.V | Bits.IR | Bits.IW, Domain);
        Assert.True(_machine.Translate(Device, 0x1000, Access.Write).Succeeded);
        Assert.False(_machine.Translate(Device + 1, 0x1000).Succeeded);
        Assert.Equal((2UL << 60 | (ulong)Domain << 32 | (Device + 1), 0x1000UL), _machine.OnlyEvent());
    }

    [Fact]
    public void Trap07_EntriesAreSixteenBytesWithTheCodeOnTop()
    {
        Attach(1);
        for (ulong at = 0; at < 64; at += 8)
        {
            _machine.Poke(TestMachine.EventRing + at, ulong.MaxValue);
        }

        _machine.Translate(Device, 0x1000, Access.Write);
        Assert.Equal(2UL << 60 | 0x20UL << 48 | (ulong)Domain << 32 | Device, _machine.Peek(TestMachine.EventRing));
        Assert.Equal(0x1000UL, _machine.Peek(TestMachine.EventRing + 8));
        Assert.Equal(ulong.MaxValue, _machine.Peek(TestMachine.EventRing + 16));
        Assert.Equal(16UL, _machine.Read(Mmio.EventTail));
    }

    [Fact]
    public void Trap08_CommandsOfRealDriversAreLegal()
    {
        _machine.Start();
        _machine.SendAndWait(
            Bits.Command(3, (ulong)Domain << 32, 0x7FFF_FFFF_FFFF_F003), // Linux: flush a domain
            Bits.Command(3, (ulong)Domain << 32, 0xFFFF_FFFF_FFFF_F003), // NOVA
            Bits.Command(4, (ulong)Device << 32 | 0x20UL << 24 | Device, 0x7FFF_FFFF_FFFF_F001),
            Bits.Command(5, Device),
            Bits.Command(2, Device));
        Assert.Empty(_machine.DrainEvents());
    }

    [Fact]
    public void Trap09And10_DeviceIotlbCommandsNameTheDeviceFirstAndCarryTheirPasidInThreePieces()
    {
        var told = new List<DeviceTlbInvalidation>();
        var iommu = new AmdIommu(_machine.Memory, new()
        {
            InvalidateDeviceTlb = invalidation =>
            {
                told.Add(invalidation);
                return true;
            },
        });
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn);
        _machine.Poke(TestMachine.CommandRing, 4UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 0x1234_7000); // 15:0 are no device
        _machine.Poke(TestMachine.CommandRing + 16, 4UL << 60 | 0xAUL << 56 | 0xDEUL << 48 | 0xBCUL << 16 | Device); // 59:56, 55:48, 23:16
        _machine.Poke(TestMachine.CommandRing + 24, 0x1234_7004); // GN
        iommu.Write(Mmio.CommandTail, 4, 0x20);
        Assert.Equal([new(new(Device), null, 0x1234_7000, 12), new(new(Device), 0xABCDE, 0x1234_7000, 12)], told);
    }

    [Fact]
    public void Trap11_TheOpcodeIsOnTopOfTheFirstQuadword()
    {
        _machine.Start();
        _machine.Send(Bits.StoreWait(TestMachine.Semaphore, 0xF000_0000_0000_0001)); // Fh is no command
        Assert.Equal(0xF000_0000_0000_0001, _machine.Peek(TestMachine.Semaphore));
        Assert.Empty(_machine.DrainEvents());
    }

    [Fact]
    public void Trap12_TheHeadIsShownWrapped()
    {
        _machine.Start(commandCode: 8);
        for (int i = 0; i < 256; i++)
        {
            _machine.Send(Bits.Command(2, Device));
            Assert.InRange(_machine.Read(Mmio.CommandHead), 0UL, 4095UL);
        }

        Assert.Equal(0UL, _machine.Read(Mmio.CommandHead));
    }

    [Fact]
    public void Trap13_TheTableHoldsSizePlusOneTimes128Entries()
    {
        _machine.Start(tableSize: 3);
        Assert.True(_machine.Translate(4 * 128 - 1, 0).Succeeded);
        Assert.False(_machine.Translate(4 * 128, 0).Succeeded);
    }

    [Fact]
    public void Trap14_AnInterruptTableMayLieAnywhereIn52Bits()
    {
        _machine.Start();
        _machine.SetDte(Device, 0, 0, Bits.IV | 1UL << 60 | 1UL << 51); // IntCtl=1: forwarded
        Assert.True(_machine.Translate(Device, 0xFEE0_0000, Access.Write).IsMessage);
    }

    [Fact]
    public void Trap16_ClearingAStatusBitKeepsTheOthers()
    {
        Attach(1);
        _machine.Translate(Device, 0);
        _machine.Send(Bits.Command(1, 2));
        Assert.Equal(Mmio.EventLogInt | Mmio.ComWaitInt | Mmio.EventLogRun | Mmio.CmdBufRun, _machine.Status);
        _machine.Write(Mmio.Status, Mmio.ComWaitInt, 4);
        Assert.Equal(Mmio.EventLogInt | Mmio.EventLogRun | Mmio.CmdBufRun, _machine.Status);
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(Mmio.EventIntEn, 1)]
    public void Trap17_EventLogIntIsAlwaysSetAndTheInterruptIsGated(ulong enable, int interrupts)
    {
        Attach(1, enable);
        _machine.Translate(Device, 0);
        Assert.Equal(Mmio.EventLogInt, _machine.Status & Mmio.EventLogInt);
        Assert.Equal(interrupts, _machine.Interrupts.Count);
        _machine.Write(Mmio.Control, 0);
        _machine.Write(Mmio.EventBase, TestMachine.EventRing | 8UL << 56);
        Assert.Equal((0UL, 0UL), (_machine.Read(Mmio.EventHead), _machine.Read(Mmio.EventTail)));
    }

    [Fact]
    public void Trap18_AnOverflowShowsWithoutInterruptsEnabled()
    {
        Attach(1, 0, eventCode: 8);
        for (int i = 0; i < 256; i++)
        {
            _machine.Translate(Device, 0);
        }

        Assert.Equal(Mmio.EventOverflow, _machine.Status & (Mmio.EventOverflow | Mmio.EventLogRun));
        Assert.Empty(_machine.Interrupts);
    }

    [Fact]
    public void Trap19And20_FaultsOfMemoryRequestsHaveNoIFlagAndTheWholeDeviceId()
    {
        Attach(1);
        _machine.Translate(Device, 0x1000);
        (ulong low, _) = _machine.OnlyEvent();
        Assert.Equal((0UL, (ulong)Device), (low & 1UL << 51, low & 0xFFFF));
    }

    [Fact]
    public void Trap21_TheCacheKnowsWholePageNumbers()
    {
        ulong root = Attach(6);
        ulong[] pages = [0x1000, 0x1000 | 1UL << 48, 0x1000 | 1UL << 57, 0x1000 | 1UL << 63, 0x1000 | 1UL << 52];
        for (int i = 0; i < pages.Length; i++)
        {
            _machine.Map(root, 6, pages[i], (ulong)(i + 1) << 24);
        }

        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < pages.Length; i++)
            {
                Assert.Equal((ulong)(i + 1) << 24, _machine.Translate(Device, pages[i]).Address);
            }
        }
    }

    [Fact]
    public void Trap21_TheCacheKnowsThePasid()
    {
        const ulong tables = 0x70_0000;
        const ulong gcr3 = 0x78_0000;
        const ulong gcr3Below = 0x78_1000;
        using TestMachine machine = new TestMachine(Mmio.BuiltEfr | Mmio.GTSup | 1UL << 14 | 1UL << 53 | 1UL << 61)
            .Start(Mmio.GTEn | 1UL << 48 | 1UL << 54);
        uint[] pasids = [1, 2, 0x101]; // the first and the last would meet in eight bits
        machine.Poke(gcr3, gcr3Below | 1);
        for (uint i = 0; i < pasids.Length; i++)
        {
            ulong top = tables + i * 0x4000;
            machine.Poke(gcr3Below + pasids[i] * 8, top | 1);
            machine.Poke(top, (top + 0x1000) | 0x67);
            machine.Poke(top + 0x1000, (top + 0x2000) | 0x67);
            machine.Poke(top + 0x2000, (top + 0x3000) | 0x67);
            machine.Poke(top + 0x3000 + 5 * 8, (i + 1) << 20 | 0x67);
        }

        machine.SetDte(Device, Bits.DteLow(0, 0) | Bits.GuestLow(gcr3) | 1UL << 56, Domain | Bits.GuestMiddle(gcr3));
        for (int round = 0; round < 2; round++)
        {
            for (uint i = 0; i < pasids.Length; i++)
            {
                Assert.Equal((i + 1UL) << 20, machine.Port.Translate(new TranslationRequest(new(Device), pasids[i], 0x5000, Access.Read)).Address);
            }
        }
    }

    [Fact]
    public void Trap22_ACachedLargePageKeepsItsOffset()
    {
        ulong root = Attach(3);
        _machine.SetEntry(root, 3, 0, 2, Bits.Pte(0x4000_0000));
        Assert.Equal(0x4000_0123UL, _machine.Translate(Device, 0x123).Address);
        Assert.Equal(0x401F_F456UL, _machine.Translate(Device, 0x1F_F456).Address);
        Assert.Equal(0x4010_0000UL, _machine.Translate(Device, 0x10_0000).Address);
    }

    [Fact]
    public void Trap23_PermissionsAreThoseOfEveryLevel()
    {
        ulong root = Attach(3);
        _machine.Map(root, 3, 0x1000, 0x5000);
        _machine.Poke(root, _machine.Peek(root) & ~Bits.IW);
        Assert.False(_machine.Translate(Device, 0x1000, Access.Write).Succeeded);
        Assert.True(_machine.Translate(Device, 0x1000, Access.Read).Succeeded);
        Assert.False(_machine.Translate(Device, 0x1000, Access.Write).Succeeded); // from the cache as well
    }

    [Fact]
    public void Trap24_AnAddressOfAllOnesFlushesEverything()
    {
        ulong root = Attach(6);
        ulong[] pages = [0, 0xFFFF_FFFF_FFFF_F000, 1UL << 45];
        ulong[] leaves = [.. pages.Select(page => _machine.Map(root, 6, page, 0x5000))];
        foreach (ulong address in (ulong[])[0x7FFF_FFFF_FFFF_F000, 0xFFFF_FFFF_FFFF_F000])
        {
            Array.ForEach(leaves, leaf => _machine.Poke(leaf, Bits.Pte(0x5000)));
            _machine.SendAndWait(Bits.InvalidateAll());
            Assert.All(pages, page => Assert.True(_machine.Translate(Device, page).Succeeded));
            Array.ForEach(leaves, leaf => _machine.Poke(leaf, 0));
            _machine.SendAndWait(Bits.InvalidatePages(Domain, address, true));
            Assert.All(pages, page => Assert.False(_machine.Translate(Device, page).Succeeded));
        }
    }

    [Fact]
    public void Trap25_ARegionIsAlignedDown()
    {
        ulong root = Attach(2);
        ulong leaf = _machine.Map(root, 2, 0x10_0000, 0x5000);
        Assert.True(_machine.Translate(Device, 0x10_0000).Succeeded);
        _machine.Poke(leaf, 0);
        _machine.SendAndWait(Bits.InvalidatePages(Domain, 0x10_7000, true)); // ones at 14:12: 64 KiB from 100000h
        Assert.False(_machine.Translate(Device, 0x10_0000).Succeeded);
    }

    [Theory]
    [InlineData(0xFEE0_0000UL)]
    [InlineData(0xFEE0_1004UL)]
    [InlineData(0xFEEF_FFFCUL)]
    public void Trap27_TheWindowIsARangeNotAnAddress(ulong iova)
    {
        Attach(1);
        Assert.True(_machine.Translate(Device, iova, Access.Write).IsMessage);
    }

    [Fact]
    public void Trap28_HalvesOfBaseRegistersMerge()
    {
        _machine.Write(Mmio.CommandBase + 4, 0x0900_0001, 4);
        _machine.Write(Mmio.CommandBase, 0x2345_6000, 4);
        Assert.Equal(0x0900_0001_2345_6000UL, _machine.Read(Mmio.CommandBase));
        _machine.Write(Mmio.CommandBase, 0x1111_1000, 4);
        _machine.Write(Mmio.CommandBase + 4, 0x0A00_0002, 4);
        Assert.Equal(0x0A00_0002_1111_1000UL, _machine.Read(Mmio.CommandBase));
        Assert.Equal((0x1111_1000UL, 0x0A00_0002UL), (_machine.Read(Mmio.CommandBase, 4), _machine.Read(Mmio.CommandBase + 4, 4)));
    }

    [Fact]
    public void Trap29_ARegisterBeyondTheApertureIsNone()
    {
        _machine.Start();
        ulong control = _machine.Read(Mmio.Control);
        foreach (ulong offset in new[] { 0x4000UL, 0x4018UL, 0x8000UL, 1UL << 32, 0x1_0000_0018UL, ulong.MaxValue - 7 })
        {
            _machine.Iommu.Write(offset, 8, ulong.MaxValue);
            Assert.Equal(0UL, _machine.Iommu.Read(offset, 8));
        }

        Assert.Equal(control, _machine.Read(Mmio.Control));
    }

    [Fact]
    public void Trap30_EventCodesAreHexadecimal() => Assert.Equal(
        [10, 11, 12, 13, 14],
        new[]
        {
            FastNest.Amd.Events.EventCode.EventCounterZero, FastNest.Amd.Events.EventCode.GuestEventFault,
            FastNest.Amd.Events.EventCode.ViommuHardwareError, FastNest.Amd.Events.EventCode.RmpPageFault,
            FastNest.Amd.Events.EventCode.RmpHardwareError,
        }.Select(static code => (int)code));

    /// <summary>Enables everything and gives the device an empty table.</summary>
    private ulong Attach(int mode, ulong control = 0, int eventCode = 9)
    {
        ulong root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(root, mode), Domain);
        _machine.Start(control, eventCode: eventCode);
        return root;
    }
}
