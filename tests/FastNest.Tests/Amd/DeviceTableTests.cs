using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Device table entries: finding, legality (readings 13, 14, 21, 22), what they permit, exclusion and the interrupt window.</summary>
public sealed class DeviceTableTests
{
    private const uint Device = 0x0310;
    private const ulong IllegalReserved = 1UL << 60 | 1UL << 55 | Device;
    private const ulong IllegalEncoding = 1UL << 60 | Device;

    public static TheoryData<ulong, ulong, ulong> ReservedBits => new()
    {
        // EFR, reserved of quadword 0, reserved of quadword 1
        { 0UL, 0x9FF0_0000_0000_007C, 0xFFFF_F800_FFFF_0000 },
        { Mmio.PprSup, 0x9FC0_0000_0000_007C, 0xFFFF_F800_FFFF_0000 },
        { Mmio.EphSup, 0x9FC0_0000_0000_007C, 0xFFFF_F800_FFFF_0000 },
        { Mmio.GIoSup, 0x9FB0_0000_0000_007C, 0xFFFF_F800_FFFF_0000 },
        { Mmio.GTSup, 0x8070_0000_0000_007C, 0 },
        { Mmio.GTSup | Mmio.PprSup | Mmio.GIoSup, 0x8000_0000_0000_007C, 0 },
    };

    [Theory]
    [MemberData(nameof(ReservedBits))]
    public void EachReservedBitOfTheLowerHalfIsIllegalWhenValid(ulong efr, ulong reserved0, ulong reserved1)
    {
        using TestMachine machine = new TestMachine(efr | Mmio.IASup | Mmio.Hats6).Start();
        for (int bit = 2; bit < 128; bit++)
        {
            bool reserved = ((bit < 64 ? reserved0 : reserved1) >> (bit % 64) & 1) != 0;
            if (!reserved && bit is >= 7 and <= 11)
            {
                continue; // encodings, tested by themselves
            }

            foreach (ulong valid in new[] { Bits.V, Bits.V | Bits.TV, 0UL })
            {
                machine.SetDte(Device, valid | (bit < 64 ? 1UL << bit : 0), bit >= 64 ? 1UL << (bit - 64) : 0);
                machine.SendAndWait(Bits.InvalidateDevice(Device));
                machine.Translate(Device, 0x1234, Access.Read);
                List<(ulong Low, ulong High)> events = machine.DrainEvents();
                Assert.Equal(reserved && valid != 0, events.Contains((IllegalReserved, 0x1234)));
                Assert.Equal(reserved && valid != 0, events.Exists(static entry => entry.Low >> 60 == 1));
            }
        }
    }

    [Fact]
    public void TheUpperHalfIsNotCheckedForMemoryRequests()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.DteLow(0, 0), 0, ulong.MaxValue, ulong.MaxValue);
        Assert.True(machine.Translate(Device, 0x1234).Succeeded);
    }

    /// <summary>Mode 7, and what HATS does not offer (0: 4 levels, 1: 5, 2: 6, 3: none).</summary>
    [Fact]
    public void ModesAboveWhatIsOfferedAreIllegal()
    {
        int[] levels = [4, 5, 6, 0];
        for (int hats = 0; hats < 4; hats++)
        {
            using TestMachine machine = new TestMachine(Mmio.IASup | (ulong)hats << 10).Start();
            for (int mode = 0; mode < 8; mode++)
            {
                machine.SetDte(Device, Bits.DteLow(machine.NewTable(), mode));
                machine.SendAndWait(Bits.InvalidateDevice(Device));
                machine.Translate(Device, 0x1237, Access.Write);
                bool legal = mode <= levels[hats];
                (ulong, ulong) expected = legal ? (2UL << 60 | 1UL << 53 | Device, 0x1237UL) : (IllegalEncoding | 1UL << 53, 0x1234UL);
                Assert.Equal(mode == 0 ? [] : [expected], machine.DrainEvents());
            }
        }
    }

    [Theory]
    [InlineData(0UL, false)]
    [InlineData(Mmio.HASup, true)]
    public void TheReservedHostMarkingIsIllegalWhereMarkingIsOffered(ulong efr, bool illegal)
    {
        using TestMachine machine = new TestMachine(efr | Mmio.IASup).Start();
        for (ulong had = 0; had < 4; had++)
        {
            machine.SetDte(Device, Bits.DteLow(0, 0) | had << 7);
            machine.SendAndWait(Bits.InvalidateDevice(Device));
            Assert.Equal(!(illegal && had == 2), machine.Translate(Device, 0).Succeeded);
            Assert.Equal(illegal && had == 2 ? [(IllegalEncoding, 0UL)] : [], machine.DrainEvents());
        }
    }

    /// <summary>Guest encodings count only with GV=1 and GTEn=1; GLX above GLXSup or 3, paging modes above GATS or above 1.</summary>
    [Fact]
    public void GuestEncodingsAreJudgedOnlyWhileGuestTranslationIsOn()
    {
        for (int glxSup = 0; glxSup < 3; glxSup++)
        {
            for (int gats = 0; gats < 3; gats++)
            {
                using TestMachine machine = new TestMachine(Mmio.GTSup | Mmio.IASup | (ulong)glxSup << 14 | (ulong)gats << 12).Start();
                for (int i = 0; i < 64; i++)
                {
                    (bool gtEn, bool gv, int glx, int paging) = ((i & 1) != 0, (i & 2) != 0, i >> 2 & 3, i >> 4);
                    machine.Write(Mmio.Control, machine.Read(Mmio.Control) & ~Mmio.GTEn | (gtEn ? Mmio.GTEn : 0));
                    machine.SetDte(Device, Bits.DteLow(0, 0) | (gv ? 1UL << 55 : 0) | (ulong)glx << 56, 0, (ulong)paging << 54);
                    machine.SendAndWait(Bits.InvalidateDevice(Device));
                    bool legal = !(gtEn && gv) || (glx != 3 && glx <= glxSup && paging <= 1 && paging <= gats);
                    Assert.Equal(legal, machine.Translate(Device, 0x1000).Succeeded);
                    Assert.Equal(legal ? [] : [(IllegalEncoding, 0x1000UL)], machine.DrainEvents());
                }
            }
        }
    }

    [Fact]
    public void ReservedBitsAreJudgedBeforeEncodings()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.V | 7UL << 9 | 4);
        machine.Translate(Device, 0x1000);
        Assert.Equal((IllegalReserved, 0x1000UL), machine.OnlyEvent());
    }

    [Theory]
    [InlineData(Access.Read)]
    [InlineData(Access.Write)]
    [InlineData(Access.ReadWrite)]
    [InlineData(Access.Execute)]
    public void AnEntryThatIsNotValidLetsEverythingPass(Access access)
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, 0xFFFF_FFFF_FFFF_FFFE, ulong.MaxValue);
        TranslationResult result = machine.Translate(Device, 0xFFFF_1234_5678_9ABC, access);
        Assert.Equal((true, 0xFFFF_1234_5678_9ABC, 64, Access.All), (result.Succeeded, result.Address, result.PageShift, result.Permissions));
        Assert.Empty(machine.DrainEvents());
    }

    [Theory]
    [InlineData(Bits.IR, Access.Read, true)]
    [InlineData(Bits.IR, Access.Write, false)]
    [InlineData(Bits.IR, Access.Execute, true)]
    [InlineData(Bits.IR, Access.ReadWrite, false)]
    [InlineData(Bits.IW, Access.Read, false)]
    [InlineData(Bits.IW, Access.Write, true)]
    [InlineData(Bits.IW, Access.Execute, false)]
    [InlineData(Bits.IR | Bits.IW, Access.ReadWrite, true)]
    [InlineData(0UL, Access.Read, false)]
    public void ModeZeroPassesWhatTheEntryPermits(ulong rights, Access access, bool granted)
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.DteLow(0, 0, rights), 0x77);
        TranslationResult result = machine.Translate(Device, 0xFFFF_1234_5678_9ABC, access);
        Assert.Equal(granted, result.Succeeded);
        if (granted)
        {
            Assert.Equal((0xFFFF_1234_5678_9ABC, 64, (ushort)0x77), (result.Address, result.PageShift, result.Domain));
            return;
        }

        // PR=1, PE=1, RW and NX of the access.
        ulong flags = 0x50UL | ((access & Access.Write) != 0 ? 0x20UL : 0) | ((access & Access.Execute) != 0 ? 2UL : 0);
        Assert.Equal((2UL << 60 | flags << 48 | 0x77UL << 32 | Device, 0xFFFF_1234_5678_9ABC), machine.OnlyEvent());
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(0xFFUL)]
    [InlineData(0x1FFUL)]
    public void TheTableHoldsOneHundredTwentyEightEntriesForEachUnitOfSize(ulong size)
    {
        using TestMachine machine = new TestMachine().Start(tableSize: size);
        uint last = (uint)((size + 1) * 128 - 1);
        machine.SetDte(last, Bits.V, 0x42);
        machine.Translate(last, 0x1000);
        Assert.Equal((2UL << 60 | 0x42UL << 32 | last, 0x1000UL), machine.OnlyEvent());
        if (last < 0xFFFF)
        {
            machine.SetDte(last + 1, Bits.V, 0x42);
            machine.Translate(last + 1, 0x2000, Access.Write);
            Assert.Equal((2UL << 60 | 1UL << 53 | last + 1, 0x2000UL), machine.OnlyEvent()); // reading 18: no domain
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void SegmentsTakeTheTopBitsOfTheDevice(int segmentBits)
    {
        using TestMachine machine = new TestMachine().Start((ulong)segmentBits << Mmio.DevTblSegEnShift);
        ulong tables = 0x80_0000;
        for (int segment = 0; segment < 1 << segmentBits; segment++)
        {
            ulong at = tables + (ulong)segment * 0x2000;
            machine.Write(segment == 0 ? 0 : 0xF8UL + (ulong)segment * 8, at | 1); // 256 entries
            uint index = 200 + (uint)segment;
            uint device = (uint)segment << (16 - segmentBits) | index;
            machine.Poke(at + index * 32, Bits.V);
            machine.Poke(at + index * 32 + 8, (ulong)segment + 1);
            machine.Translate(device, 0x1000);
            Assert.Equal((2UL << 60 | ((ulong)segment + 1) << 32 | device, 0x1000UL), machine.OnlyEvent());
            device = (uint)segment << (16 - segmentBits) | 256;
            machine.Translate(device, 0x1000); // beyond this segment
            Assert.Equal((2UL << 60 | device, 0x1000UL), machine.OnlyEvent());
        }
    }

    [Fact]
    public void ASegmentsSizeHasEightBits()
    {
        using TestMachine machine = new TestMachine().Start(1UL << Mmio.DevTblSegEnShift);
        machine.Write(Mmio.Segment1, 0x80_0000 | 0x1FF);
        Assert.Equal(0x80_00FFUL, machine.Read(Mmio.Segment1));
    }

    [Fact]
    public void DevicesBeyondSixteenBitsHaveNoEntry()
    {
        using TestMachine machine = new TestMachine().Start();
        Assert.Equal(FaultReason.DeviceOutOfRange, machine.Translate(0x1_0000 | Device, 0).Reason);
    }

    [Fact]
    public void AnUnreadableEntryIsAHardwareErrorAndIsNotKept()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.DeviceTableBase, TestMachine.Hole | 0x1FF);
        TranslationResult result = machine.Translate(Device, 0x1000, Access.Write);
        Assert.Equal((FaultReason.ContextUnreadable, TestMachine.Hole + Device * 32), (result.Reason, result.Address));
        Assert.Equal((3UL << 60 | 1UL << 57 | 1UL << 53 | Device, TestMachine.Hole + Device * 32), machine.OnlyEvent());
        machine.Memory.AddOwned(TestMachine.Hole, 0x20_0000);
        Assert.True(machine.Translate(Device, 0x1000, Access.Write).Succeeded);
    }

    [Fact]
    public void WhileDisabledEverythingPasses()
    {
        using var machine = new TestMachine();
        machine.SetDte(Device, Bits.V | 4);
        foreach (ulong iova in (ulong[])[0, 0xFEE0_0000, ulong.MaxValue])
        {
            TranslationResult result = machine.Translate(Device, iova, Access.Read);
            Assert.Equal((true, iova, 64, Access.All, false), (result.Succeeded, result.Address, result.PageShift, result.Permissions, result.IsMessage));
        }
    }

    // ---- exclusion range

    [Theory]
    [InlineData(0x10_0000UL, true)]
    [InlineData(0x0F_FFFFUL, false)]
    [InlineData(0x10_4FFFUL, true)] // the limit's last 4 KiB is included
    [InlineData(0x10_5000UL, false)]
    public void TheExclusionRangeIsInclusiveOfItsLastPage(ulong iova, bool excluded)
    {
        foreach ((ulong enable, ulong ex, bool applies) in new[]
        {
            (3UL, 0UL, true), (1UL, Bits.EX, true), (1UL, 0UL, false), (2UL, Bits.EX, false), (0UL, Bits.EX, false), (3UL, Bits.EX, true),
        })
        {
            using TestMachine machine = new TestMachine().Start();
            machine.Write(Mmio.ExclusionBase, 0x10_0000 | enable);
            machine.Write(Mmio.ExclusionLimit, 0x10_4000);
            machine.SetDte(Device, Bits.DteLow(machine.NewTable(), 1, 0), ex | 0x55);
            TranslationResult result = machine.Translate(Device, iova, Access.Write);
            Assert.Equal(excluded && applies, result.Succeeded);
            if (result.Succeeded)
            {
                Assert.Equal((iova, Access.All), (result.Address, result.Permissions)); // no permission is checked
            }
        }
    }

    [Fact]
    public void ExclusionComesAfterValidityAndLegalityAndBeforeTranslation()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.ExclusionBase, 3);
        machine.Write(Mmio.ExclusionLimit, 0x000F_FFFF_FFFF_F000);
        machine.SetDte(Device, Bits.V | 4);
        Assert.Equal(FaultReason.ContextReservedBit, machine.Translate(Device, 0).Reason);
        machine.SetDte(Device, Bits.V); // TV=0
        machine.SendAndWait(Bits.InvalidateDevice(Device));
        Assert.True(machine.Translate(Device, 0).Succeeded);
    }

    [Fact]
    public void RequestsWithPasidAreNotExcludedAndSnpTakesTheRegistersAway()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.ExclusionBase, 3);
        machine.SetDte(Device, Bits.V);
        Assert.Equal(FaultReason.PasidUnsupported, WithTv(machine).Reason);

        using TestMachine snp = new TestMachine(Mmio.BuiltEfr | Mmio.SnpSup).Start();
        snp.Write(Mmio.ExclusionBase, 3);
        snp.SetDte(Device, Bits.V);
        Assert.False(snp.Translate(Device, 0).Succeeded);

        static TranslationResult WithTv(TestMachine machine)
        {
            machine.SetDte(Device, Bits.DteLow(0, 0));
            return machine.Port.Translate(new TranslationRequest(new(Device), 5, 0x10, Access.Read));
        }
    }

    [Fact]
    public void AnEmptyExclusionRangeExcludesNothing()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.Write(Mmio.ExclusionBase, 0x10_0000 | 3);
        machine.Write(Mmio.ExclusionLimit, 0x0F_E000);
        machine.SetDte(Device, Bits.V);
        Assert.False(machine.Translate(Device, 0x10_0000).Succeeded);
        Assert.False(machine.Translate(Device, 0x0F_E000).Succeeded);
    }

    // ---- the interrupt window

    [Theory]
    [InlineData(0xFEDF_FFFFUL, false)]
    [InlineData(0xFEE0_0000UL, true)]
    [InlineData(0xFEEF_FFFFUL, true)]
    [InlineData(0xFEF0_0000UL, false)]
    [InlineData(0x1_FEE0_0000UL, false)]
    public void TheInterruptWindowIsARange(ulong iova, bool inside)
    {
        using TestMachine machine = new TestMachine().Start();
        TranslationResult write = machine.Translate(Device, iova, Access.Write); // V=0
        Assert.Equal((true, inside, iova), (write.Succeeded, write.IsMessage, write.Address));
        foreach (Access access in new[] { Access.Read, Access.ReadWrite, Access.Execute })
        {
            TranslationResult read = machine.Translate(Device, iova, access);
            Assert.Equal(inside ? FaultReason.MessageWindowRead : FaultReason.None, read.Reason);
            Assert.Equal(inside ? [(8UL << 60 | Device, iova)] : [], machine.DrainEvents());
        }
    }

    [Fact]
    public void RequestsWithPasidSeeNoWindow()
    {
        using TestMachine machine = new TestMachine().Start();
        TranslationResult result = machine.Port.Translate(new TranslationRequest(new(Device), 1, 0xFEE0_0000, Access.Read));
        Assert.Equal((true, false), (result.Succeeded, result.IsMessage));
    }

    [Theory]
    [InlineData(0UL, false, 0UL)] // IV=0
    [InlineData(1UL, true, 8UL << 60 | 4UL << 57)] // IntCtl=0: INVALID_DEVICE_REQUEST type 4
    [InlineData(1UL | 1UL << 60, false, 0UL)]
    [InlineData(1UL | 2UL << 60, false, 0UL)]
    [InlineData(1UL | 3UL << 60, true, 1UL << 60 | 1UL << 53 | 1UL << 51)] // IntCtl=3
    [InlineData(1UL | 2UL << 60 | 11UL << 1, false, 0UL)]
    [InlineData(1UL | 2UL << 60 | 12UL << 1, true, 1UL << 60 | 1UL << 53 | 1UL << 51)] // IntTabLen above 11
    [InlineData(1UL | 2UL << 60 | 1UL << 52, true, 1UL << 60 | 1UL << 55 | 1UL << 53 | 1UL << 51)] // 181:180
    [InlineData(1UL | 2UL << 60 | 1UL << 53, true, 1UL << 60 | 1UL << 55 | 1UL << 53 | 1UL << 51)]
    [InlineData(1UL << 52 | 3UL << 60, false, 0UL)] // IV=0: nothing is checked
    public void MessagesAreGovernedByTheUpperHalfWhateverVIs(ulong word2, bool refused, ulong entry)
    {
        foreach (ulong low in (ulong[])[0, Bits.V, Bits.V | 4, Bits.DteLow(0, 0, 0)])
        {
            using TestMachine machine = new TestMachine().Start();
            machine.SetDte(Device, low, Bits.SA, word2);
            TranslationResult result = machine.Translate(Device, 0xFEE1_2344, Access.Write);
            Assert.Equal((!refused, !refused), (result.Succeeded, result.IsMessage));
            Assert.Equal(refused ? [(entry | Device, 0xFEE1_2344)] : [], machine.DrainEvents());
        }
    }

    [Fact]
    public void EachReservedBitOfTheLastQuadwordIsIllegalForMessages()
    {
        for (int bit = 0; bit < 64; bit++)
        {
            using TestMachine machine = new TestMachine().Start();
            machine.SetDte(Device, 0, 0, 1 | 1UL << 60, 1UL << bit);
            bool reserved = bit is <= 14 or (>= 48 and <= 52); // 206:192 and 244:240
            Assert.Equal(!reserved, machine.Translate(Device, 0xFEE0_0000, Access.Write).Succeeded);
        }
    }

    [Fact]
    public void MessagesNeedAnEntryThatCanBeRead()
    {
        using TestMachine machine = new TestMachine().Start(tableSize: 0);
        machine.Translate(Device, 0xFEE0_0000, Access.Write);
        Assert.Equal((2UL << 60 | 1UL << 53 | 1UL << 51 | Device, 0xFEE0_0000UL), machine.OnlyEvent());
        machine.Write(Mmio.DeviceTableBase, TestMachine.Hole | 0x1FF);
        machine.SendAndWait(Bits.InvalidateAll());
        machine.Translate(Device, 0xFEE0_0000, Access.Write);
        Assert.Equal((3UL << 60 | 1UL << 57 | 1UL << 53 | 1UL << 51 | Device, TestMachine.Hole + Device * 32), machine.OnlyEvent());
    }
}
