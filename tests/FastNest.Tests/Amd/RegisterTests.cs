using FastNest.Amd.Registers;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>The MMIO map of the digest's section 1.2, copied here by hand, against what software sees.</summary>
public sealed class RegisterTests
{
    private const ulong Everything = ulong.MaxValue;
    private const ulong Address = 0x000F_FFFF_FFFF_F000;
    private const ulong Ring = 0x0F0F_FFFF_FFFF_F000;
    private const ulong Pointer = 0x7_FFF0;
    private const ulong XtInterrupt = 0xFF00_01FF_FFFF_FF04;
    private const ulong DualPpr = 3UL << 24;
    private const ulong DualEvent = 3UL << 28;
    private const ulong GASup = 1 << 7;
    private const ulong Marc = 3UL << 42;
    private const ulong Segments = 3UL << 38;
    private const ulong Msi = 1UL << 46;
    private const ulong XT = 1 << 2;
    private const ulong EarlyOverflow = 1UL << 40;

    /// <summary>Offset, bytes, writable bits, feature bits without which it is not there.</summary>
    private static readonly (int Offset, int Width, ulong Writable, ulong Feature)[] Map =
    [
        (0x0000, 8, Address | 0x1FF, 0), (0x0008, 8, Ring, 0), (0x0010, 8, Ring, 0), (0x0020, 8, Address | 3, 0), (0x0028, 8, Address, 0),
        (0x0038, 8, Ring, Mmio.PprSup), (0x0040, 8, 0, Mmio.HESup), (0x0048, 8, 0, Mmio.HESup), (0x0050, 8, 0, Mmio.HESup),
        (0x00E0, 8, Ring, GASup), (0x00E8, 8, 0x000F_FFFF_FFFF_FFF8, GASup), (0x00F0, 8, Ring, DualPpr), (0x00F8, 8, Ring, DualEvent),
        (0x0100, 8, Address | 0xFF, Segments), (0x0108, 8, Address | 0xFF, Segments), (0x0110, 8, Address | 0xFF, Segments),
        (0x0118, 8, Address | 0xFF, Segments), (0x0120, 8, Address | 0xFF, Segments), (0x0128, 8, Address | 0xFF, Segments),
        (0x0130, 8, Address | 0xFF, Segments), (0x0138, 8, 0, 0), (0x0140, 8, 0, 0), (0x0148, 8, 0, 0),
        (0x0150, 4, 0, Msi), (0x0154, 4, 0, Msi), (0x0158, 4, 1 << 16, Msi), (0x015C, 4, 0xFFFF_FFFC, Msi), (0x0160, 4, 0xFFFF_FFFF, Msi),
        (0x0164, 4, 0xFFFF, Msi), (0x0168, 4, 0, Msi), (0x016C, 4, 1 << 13, 1UL << 45),
        (0x0170, 8, XtInterrupt, XT), (0x0178, 8, XtInterrupt, XT), (0x0180, 8, XtInterrupt, XT),
        (0x0200, 8, Address, Marc), (0x0208, 8, Address | 3, Marc), (0x0210, 8, Address, Marc),
        (0x0218, 8, Address, Marc), (0x0220, 8, Address | 3, Marc), (0x0228, 8, Address, Marc),
        (0x0230, 8, Address, Marc), (0x0238, 8, Address | 3, Marc), (0x0240, 8, Address, Marc),
        (0x0248, 8, Address, Marc), (0x0250, 8, Address | 3, Marc), (0x0258, 8, Address, Marc),
        (0x2000, 8, Pointer, 0), (0x2008, 8, Pointer, 0), (0x2010, 8, Pointer, 0), (0x2018, 8, Pointer, 0), (0x2020, 8, 0, 0),
        (0x2030, 8, Pointer, Mmio.PprSup), (0x2038, 8, Pointer, Mmio.PprSup), (0x2040, 8, 0xFFF8, GASup), (0x2048, 8, 0xFFF8, GASup),
        (0x2050, 8, Pointer, DualPpr), (0x2058, 8, Pointer, DualPpr), (0x2070, 8, Pointer, DualEvent), (0x2078, 8, Pointer, DualEvent),
        (0x2080, 8, 0x1F, 1UL << 41), (0x2088, 8, 0xC000_7FFF, EarlyOverflow), (0x2090, 8, 0xC000_7FFF, EarlyOverflow),
    ];

    public static TheoryData<int, int, ulong, ulong> Rows
    {
        get
        {
            var rows = new TheoryData<int, int, ulong, ulong>();
            Array.ForEach(Map, row => rows.Add(row.Offset, row.Width, row.Writable, row.Feature));
            return rows;
        }
    }

    [Fact]
    public void TheEngineHasTheseRegistersAndNoOthers() => Assert.Equal(
        Map.Select(static row => (row.Offset, row.Width)).Concat([(0x18, 8), (0x30, 8), (0x1A0, 8)]).Order(),
        RegisterMap.All.Select(static row => (row.Offset, row.Width)));

    [Theory]
    [MemberData(nameof(Rows))]
    public void ResetIsZeroAndEachByteIsWrittenAlone(int offset, int width, ulong writable, ulong feature)
    {
        _ = feature; // of another test
        for (int size = 1; size <= width; size *= 2)
        {
            for (int at = 0; at < width; at += size)
            {
                using var machine = new TestMachine(Everything);
                ulong lanes = (ulong.MaxValue >> (64 - size * 8)) << (at * 8);
                Assert.Equal(0UL, machine.Read((ulong)offset, width));
                machine.Write((ulong)(offset + at), ulong.MaxValue, size);
                Assert.Equal(writable & lanes, machine.Read((ulong)offset, width));
                Assert.Equal((writable & lanes) >> (at * 8), machine.Read((ulong)(offset + at), size));
                machine.Write((ulong)(offset + at), 0, size);
                Assert.Equal(0UL, machine.Read((ulong)offset, width));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void ClearingOneByteLeavesTheOthers(int offset, int width, ulong writable, ulong feature)
    {
        _ = feature; // of another test
        using var machine = new TestMachine(Everything);
        for (int at = 0; at < width; at++)
        {
            machine.Write((ulong)offset, ulong.MaxValue, width);
            machine.Write((ulong)(offset + at), 0, 1);
            Assert.Equal(writable & ~(0xFFUL << (at * 8)), machine.Read((ulong)offset, width));
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void WithoutItsFeatureARegisterReadsZeroAndIgnoresWrites(int offset, int width, ulong writable, ulong feature)
    {
        _ = writable; // of another test
        using var machine = new TestMachine(Everything & ~feature);
        machine.Write((ulong)offset, ulong.MaxValue, width);
        if (feature != 0)
        {
            Assert.Equal(0UL, machine.Read((ulong)offset, width));
        }
    }

    [Fact]
    public void TheLogBsEarlyOverflowIsADualLogRegister()
    {
        // Reading 59: dual-log registers are not there without their feature.
        using var machine = new TestMachine(EarlyOverflow);
        machine.Write(0x2090, ulong.MaxValue);
        Assert.Equal(0UL, machine.Read(0x2090));
    }

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(0x0123_4567_89AB_CDEFUL, 0xFEDC_BA98_7654_3210UL)]
    public void FeatureRegistersReadAsOfferedAndNeverChange(ulong efr, ulong efr2)
    {
        using var machine = new TestMachine(efr, efr2);
        foreach (int size in new[] { 1, 2, 4, 8 })
        {
            machine.Write(Mmio.Efr, ~efr, size);
            machine.Write(Mmio.Efr2, ~efr2, size);
        }

        Assert.Equal((efr, efr2), (machine.Read(Mmio.Efr), machine.Read(Mmio.Efr2)));
        Assert.Equal(efr >> 32, machine.Read(Mmio.Efr + 4, 4));
        Assert.Equal(efr >> 8 & 0xFF, machine.Read(Mmio.Efr + 1, 1));
    }

    [Fact]
    public void TheDefaultOffersWhatIsBuilt() => Assert.Equal(Mmio.BuiltEfr | 0, FastNest.Amd.IommuFeatures.Built.ExtendedFeatures & Mmio.BuiltEfr);

    [Fact]
    public void EveryOffsetOutsideTheMapReadsZeroAndIgnoresWrites()
    {
        using var machine = new TestMachine(Everything);
        bool[] known = new bool[0x4000];
        foreach ((int offset, int width, _, _) in Map.Concat([(0x18, 8, 0UL, 0UL), (0x30, 8, 0UL, 0UL), (0x1A0, 8, 0UL, 0UL)]))
        {
            known.AsSpan(offset, width).Fill(true);
        }

        ulong[] before = Snapshot(machine);
        for (int offset = 0; offset < 0x4000; offset += 4)
        {
            if (!known[offset])
            {
                machine.Write((ulong)offset, ulong.MaxValue, 4);
                Assert.Equal(0UL, machine.Read((ulong)offset, 4));
            }
        }

        foreach (ulong offset in (ulong[])[0x4000, 0x4008, 0x8_0000, 1UL << 32, ulong.MaxValue - 7])
        {
            machine.Write(offset, ulong.MaxValue);
            Assert.Equal(0UL, machine.Read(offset));
        }

        Assert.Equal(before, Snapshot(machine));
    }

    [Theory]
    [InlineData(0x0001UL, 2)]
    [InlineData(0x0002UL, 4)]
    [InlineData(0x0004UL, 8)]
    [InlineData(0x0007UL, 2)]
    [InlineData(0x0000UL, 0)]
    [InlineData(0x0000UL, 3)]
    [InlineData(0x0000UL, 5)]
    [InlineData(0x0000UL, 16)]
    [InlineData(0x0000UL, -1)]
    [InlineData(0x0000UL, int.MinValue)]
    public void MisalignedAndOddAccessesReadZeroAndAreIgnored(ulong offset, int size)
    {
        using var machine = new TestMachine();
        machine.Write(Mmio.DeviceTableBase, Address | 0x1FF);
        machine.Write(offset, 0, size);
        Assert.Equal(Address | 0x1FF, machine.Read(Mmio.DeviceTableBase));
        Assert.Equal(0UL, machine.Read(offset, size));
    }

    [Fact]
    public void AWideAccessReachesBothOfTwoNarrowRegisters()
    {
        using var machine = new TestMachine(Everything);
        machine.Write(0x0158, ulong.MaxValue);
        Assert.Equal(0xFFFF_FFFC_0001_0000UL, machine.Read(0x0158));
    }

    /// <summary>Section 1.4: bits 0, 1, 2, 5, 6, 9, 10, 11, 15, 17, 18; a zero leaves them, a one clears only its own.</summary>
    [Fact]
    public void StatusBitsAreClearedByOnesOneByOne()
    {
        int[] clearable = [0, 1, 2, 5, 6, 9, 10, 11, 15, 17, 18];
        ulong all = clearable.Aggregate(0UL, static (mask, bit) => mask | 1UL << bit);
        for (int bit = 0; bit < 64; bit++)
        {
            using var machine = new TestMachine(Everything);
            Assert.True(machine.Iommu.TryRestore(Mmio.Status, all));
            machine.Write(Mmio.Status, 0);
            Assert.Equal(all, machine.Status);
            machine.Write(Mmio.Status, 1UL << bit);
            Assert.Equal(all & ~(1UL << bit), machine.Status);
        }
    }

    [Theory]
    [InlineData(0UL, 1)]
    [InlineData(1UL, 1)]
    [InlineData(2UL, 1)]
    [InlineData(0UL, 2)]
    [InlineData(0UL, 4)]
    public void NarrowStatusWritesClearOnlyTheirOwnBytes(ulong at, int size)
    {
        using var machine = new TestMachine(Everything);
        const ulong all = 0x6_8E67;
        machine.Iommu.TryRestore(Mmio.Status, all);
        machine.Write(Mmio.Status + at, ulong.MaxValue, size);
        ulong lanes = (ulong.MaxValue >> (64 - size * 8)) << (int)(at * 8);
        Assert.Equal(all & ~lanes, machine.Status);
    }

    [Fact]
    public void HardwareEventStatusIsWriteOneToClear()
    {
        using var machine = new TestMachine();
        machine.Iommu.TryRestore(Mmio.HwEventStatus, 3);
        machine.Write(Mmio.HwEventStatus, 0);
        Assert.Equal(3UL, machine.Read(Mmio.HwEventStatus));
        machine.Write(Mmio.HwEventStatus, 2);
        Assert.Equal(1UL, machine.Read(Mmio.HwEventStatus));
        machine.Write(Mmio.HwEventStatus, 1);
        Assert.Equal(0UL, machine.Read(Mmio.HwEventStatus));
    }

    [Fact]
    public void RestoreRefusesWhatIsNoRegister()
    {
        using var machine = new TestMachine();
        Assert.False(machine.Iommu.TryRestore(0x0058, 1));
        Assert.False(machine.Iommu.TryRestore(0x0004, 1));
        Assert.False(machine.Iommu.TryRestore(0x4000, 1));
        Assert.False(machine.Iommu.TryRestore(ulong.MaxValue, 1));
        Assert.True(machine.Iommu.TryRestore(0x0018, 1));
    }

    /// <summary>Reading 52, for a snapshot as for a write.</summary>
    [Theory]
    [InlineData(3UL, 3UL)]
    [InlineData(4UL, 0UL)]
    [InlineData(7UL, 0UL)]
    public void MoreSegmentsThanOfferedAreNotRestored(ulong restored, ulong kept)
    {
        using var machine = new TestMachine();
        Assert.True(machine.Iommu.TryRestore(Mmio.Control, Mmio.IommuEn | restored << Mmio.DevTblSegEnShift));
        Assert.Equal(Mmio.IommuEn | kept << Mmio.DevTblSegEnShift, machine.Read(Mmio.Control));
    }

    /// <summary>An exclusion range that a snapshot ends beyond 52 bits would take in addresses that no driver could exclude.</summary>
    [Theory]
    [InlineData(Mmio.DeviceTableBase, 0x000F_FFFF_FFFF_F1FF)]
    [InlineData(Mmio.CommandBase, 0x0F0F_FFFF_FFFF_F000)]
    [InlineData(Mmio.ExclusionLimit, 0x000F_FFFF_FFFF_F000)]
    [InlineData(Mmio.CommandHead, 0x7_FFF0)]
    [InlineData(Mmio.PprBase, 0)]
    public void ReservedBitsAreNotRestored(ulong offset, ulong kept)
    {
        using var machine = new TestMachine();
        Assert.True(machine.Iommu.TryRestore(offset, ulong.MaxValue));
        Assert.Equal(kept, machine.Read(offset));
    }

    private static ulong[] Snapshot(TestMachine machine) =>
        [.. Enumerable.Range(0, 0x4000 / 8).Select(index => machine.Read((ulong)index * 8))];
}
