using FastNest.Reference;
using Xunit;

namespace FastNest.Tests.Reference;

public class RegisterTests
{
    private static ReferenceIommu Fresh(ulong efr = 0, ulong efr2 = 0) => new(new ReferenceMemory(), efr, efr2);

    [Theory] // control bits, the EFR bit and the EFR2 bit that offer them (-1: none)
    [InlineData(0x0000_1FFF, -1, -1)]
    [InlineData(1UL << 23, -1, -1)]
    [InlineData(7UL << 13, 1, -1)]
    [InlineData(1UL << 16, 4, -1)]
    [InlineData(1UL << 17, 7, -1)]
    [InlineData(1UL << 22 | 1UL << 24, 16, -1)]
    [InlineData(7UL << 25, 21, -1)]
    [InlineData(3UL << 28, 7, -1)]
    [InlineData(3UL << 30, 24, -1)]
    [InlineData(3UL << 32, 28, -1)]
    [InlineData(1UL << 34, 38, -1)]
    [InlineData(3UL << 37, 37, -1)]
    [InlineData(1UL << 39 | 1UL << 42, 41, -1)]
    [InlineData(1UL << 40, 42, -1)]
    [InlineData(1UL << 41, 44, -1)]
    [InlineData(3UL << 43, -1, 8)]
    [InlineData(1UL << 45, 50, -1)]
    [InlineData(3UL << 46, 49, -1)]
    [InlineData(1UL << 48, 53, -1)]
    [InlineData(3UL << 50, 2, -1)]
    [InlineData(3UL << 52, 55, -1)]
    [InlineData(1UL << 54, 61, -1)]
    [InlineData(1UL << 55, 5, -1)]
    [InlineData(1UL << 56, -1, 2)]
    [InlineData(1UL << 58, -1, 3)]
    [InlineData(7UL << 61, -1, 5)]
    public void ControlBitSticksOnlyWhenOffered(ulong bits, int efrBit, int efr2Bit)
    {
        ReferenceIommu with = Fresh(efrBit < 0 ? 0 : 1UL << efrBit, efr2Bit < 0 ? 0 : 1UL << efr2Bit);
        with.Write(0x18, 8, bits);
        Assert.Equal(bits, with.Read(0x18, 8));
        ReferenceIommu without = Fresh();
        without.Write(0x18, 8, bits);
        Assert.Equal(efrBit < 0 && efr2Bit < 0 ? bits : 0, without.Read(0x18, 8));
    }

    [Fact]
    public void UndocumentedAndReservedControlBitsNeverStick()
    {
        ReferenceIommu all = Fresh(ulong.MaxValue, ulong.MaxValue);
        all.Write(0x18, 8, ulong.MaxValue & ~(4UL << 34));
        ulong never = 0xFUL << 18 | 1UL << 49 | 1UL << 57 | 1UL << 59 | 1UL << 60 | 4UL << 34;
        Assert.Equal(~never, all.Read(0x18, 8));
    }

    [Fact]
    public void BitsWithoutAnEfrBitStickWhereTheModelIsToldSo()
    {
        ReferenceIommu iommu = new(new ReferenceMemory(), 0, 0, irtCacheDisSticks: true, gstBufferTrpModeSticks: true);
        iommu.Write(0x18, 8, 3UL << 59);
        Assert.Equal(3UL << 59, iommu.Read(0x18, 8));
    }

    [Theory] // DevTblSegSup, written DevTblSegEn, what stays
    [InlineData(0, 1, 0)]
    [InlineData(1, 1, 1)]
    [InlineData(1, 2, 0)]
    [InlineData(2, 2, 2)]
    [InlineData(3, 3, 3)]
    [InlineData(3, 4, 0)]
    [InlineData(3, 7, 0)]
    public void SegmentFieldIsZeroAboveWhatIsOffered(ulong offered, ulong written, ulong stays)
    {
        ReferenceIommu iommu = Fresh(offered << 38);
        iommu.Write(0x18, 8, written << 34);
        Assert.Equal(stays << 34, iommu.Read(0x18, 8));
    }

    [Theory] // offset, EFR that offers it, what sticks of all ones
    [InlineData(0x000, 0UL, 0x000F_FFFF_FFFF_F1FFUL)]
    [InlineData(0x008, 0UL, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x010, 0UL, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x020, 0UL, 0x000F_FFFF_FFFF_F003UL)]
    [InlineData(0x028, 0UL, 0x000F_FFFF_FFFF_F000UL)]
    [InlineData(0x038, 1UL << 1, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x0E0, 1UL << 7, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x0E8, 1UL << 7, 0x000F_FFFF_FFFF_FFF8UL)]
    [InlineData(0x0F0, 1UL << 24, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x0F8, 1UL << 28, 0x0F0F_FFFF_FFFF_F000UL)]
    [InlineData(0x100, 1UL << 38, 0x000F_FFFF_FFFF_F0FFUL)]
    [InlineData(0x110, 2UL << 38, 0x000F_FFFF_FFFF_F0FFUL)]
    [InlineData(0x130, 3UL << 38, 0x000F_FFFF_FFFF_F0FFUL)]
    [InlineData(0x158, 1UL << 46, 0xFFFF_FFFC_0001_0000UL)]
    [InlineData(0x160, 1UL << 46, 0x0000_FFFF_FFFF_FFFFUL)]
    [InlineData(0x170, 1UL << 2, 0xFF00_01FF_FFFF_FF04UL)]
    [InlineData(0x180, 1UL << 2, 0xFF00_01FF_FFFF_FF04UL)]
    [InlineData(0x2030, 1UL << 1, 0x7_FFF0UL)]
    [InlineData(0x2040, 1UL << 7, 0xFFF8UL)]
    [InlineData(0x2070, 1UL << 28, 0x7_FFF0UL)]
    [InlineData(0x2080, 1UL << 41, 0x1FUL)] // reading 61
    [InlineData(0x2088, 1UL << 40, 0xC000_7FFFUL)]
    [InlineData(0x2090, 1UL << 40 | 1UL << 24, 0xC000_7FFFUL)]
    [InlineData(0x0200, 1UL << 42, 0x000F_FFFF_FFFF_F000UL)]
    [InlineData(0x0208, 1UL << 42, 0x000F_FFFF_FFFF_F003UL)]
    public void RegisterKeepsItsBitsAndExistsOnlyWithItsFeature(int offset, ulong efr, ulong sticks)
    {
        ReferenceIommu with = Fresh(efr);
        with.Write((ulong)offset, 8, ulong.MaxValue);
        Assert.Equal(sticks, with.Read((ulong)offset, 8));
        ReferenceIommu without = Fresh();
        without.Write((ulong)offset, 8, ulong.MaxValue);
        Assert.Equal(efr == 0 ? sticks : 0, without.Read((ulong)offset, 8));
    }

    [Theory]
    [InlineData(0x110, 1UL << 38)] // only segment 1 exists with two segments
    [InlineData(0x060, ulong.MaxValue)]
    [InlineData(0x138, ulong.MaxValue)]
    [InlineData(0x148, ulong.MaxValue)]
    [InlineData(0x190, ulong.MaxValue)]
    [InlineData(0x1FF8, ulong.MaxValue)]
    [InlineData(0x4000, ulong.MaxValue)]
    [InlineData(0x1_0000_0008, ulong.MaxValue)]
    public void ReservedRegisterReadsZero(long offset, ulong efr)
    {
        ReferenceIommu iommu = Fresh(efr, ulong.MaxValue);
        iommu.Write((ulong)offset, 8, ulong.MaxValue);
        Assert.Equal(0UL, iommu.Read((ulong)offset, 8));
    }

    [Fact]
    public void FeatureRegistersAreReadOnly()
    {
        ReferenceIommu iommu = Fresh(0x29D3, 8);
        iommu.Write(0x30, 8, ulong.MaxValue);
        iommu.Write(0x1A0, 8, ulong.MaxValue);
        Assert.Equal((0x29D3UL, 8UL), (iommu.Read(0x30, 8), iommu.Read(0x1A0, 8)));
    }

    [Fact]
    public void PartsOfARegisterMerge()
    {
        ReferenceIommu iommu = Fresh();
        iommu.Write(0x00, 4, 0x1234_5001);
        iommu.Write(0x04, 4, 0xFFF0_ABCD);
        Assert.Equal(0x0000_ABCD_1234_5001UL, iommu.Read(0x00, 8));
        iommu.Write(0x02, 2, 0x4321);
        iommu.Write(0x05, 1, 0x77);
        Assert.Equal(0x0000_77CD_4321_5001UL, iommu.Read(0x00, 8));
        Assert.Equal(0x4321UL, iommu.Read(0x02, 2));
        Assert.Equal(0xCDUL, iommu.Read(0x04, 1));
        Assert.Equal(0x77CDUL, iommu.Read(0x04, 4));
    }

    [Theory]
    [InlineData(0x02, 4)]
    [InlineData(0x04, 8)]
    [InlineData(0x01, 2)]
    [InlineData(0x00, 3)]
    [InlineData(0x00, 16)]
    [InlineData(0x00, 0)]
    [InlineData(0x00, -4)]
    public void OtherWidthsAndAlignmentsDoNothing(int offset, int size)
    {
        ReferenceIommu iommu = Fresh();
        iommu.Write((ulong)offset, size, ulong.MaxValue);
        Assert.Equal(0UL, iommu.Read(0, 8));
        iommu.Write(0, 8, ulong.MaxValue);
        Assert.Equal(0UL, iommu.Read((ulong)offset, size));
    }

    [Theory] // control, length code, expected EventLogRun and CmdBufRun
    [InlineData(0x1005, 8, true)]
    [InlineData(0x1005, 15, true)]
    [InlineData(0x1005, 7, false)]
    [InlineData(0x1005, 0, false)]
    [InlineData(0x1004, 9, false)] // IommuEn last
    [InlineData(0x0001, 9, false)]
    public void RunBitsFollowControl(ulong control, ulong code, bool run)
    {
        ReferenceIommu iommu = Fresh();
        iommu.Write(0x08, 8, 0x10000 | code << 56);
        iommu.Write(0x10, 8, 0x20000 | code << 56);
        iommu.Write(0x18, 8, control);
        Assert.Equal(run ? 0x18UL : 0, iommu.Read(0x2020, 4));
    }

    [Fact]
    public void PprAndGaLogsRunWhenEnabled()
    {
        ReferenceIommu iommu = Fresh(1 << 1 | 1 << 7);
        iommu.Write(0x38, 8, 9UL << 56);
        iommu.Write(0xE0, 8, 8UL << 56);
        iommu.Write(0x18, 8, 1 | 1 << 13 | 1 << 28);
        Assert.Equal(0x180UL, iommu.Read(0x2020, 8));
        iommu.Write(0x2038, 8, 0x40); // the tail belongs to the running log
        iommu.Write(0x2030, 8, 0x40);
        Assert.Equal((0UL, 0x40UL), (iommu.Read(0x2038, 8), iommu.Read(0x2030, 8)));
    }

    [Fact]
    public void StatusBitsAreClearedByOnesOnly()
    {
        ReferenceIommu iommu = Fresh();
        iommu.RestoreRegister(0x2020, ulong.MaxValue);
        Assert.Equal(0x6_8E67UL, iommu.Read(0x2020, 8));
        iommu.Write(0x2020, 4, 0x2);
        Assert.Equal(0x6_8E65UL, iommu.Read(0x2020, 8));
        iommu.Write(0x2022, 2, 0xFFFF);
        Assert.Equal(0x8E65UL, iommu.Read(0x2020, 8));
        iommu.Write(0x2020, 8, ulong.MaxValue);
        Assert.Equal(0UL, iommu.Read(0x2020, 8));
    }

    [Theory] // ring base, head, tail
    [InlineData(0x08, 0x2000, 0x2008)]
    [InlineData(0x10, 0x2010, 0x2018)]
    [InlineData(0x38, 0x2030, 0x2038)]
    public void WritingABaseResetsItsRing(ulong ringBase, ulong head, ulong tail)
    {
        ReferenceIommu iommu = Fresh(2);
        iommu.Write(ringBase, 8, 15UL << 56);
        iommu.Write(head, 4, 0x100);
        iommu.Write(tail, 4, 0x200);
        Assert.Equal((0x100UL, 0x200UL), (iommu.Read(head, 4), iommu.Read(tail, 4)));
        iommu.Write(ringBase + 7, 1, 8);
        Assert.Equal((0UL, 0UL), (iommu.Read(head, 4), iommu.Read(tail, 4)));
    }

    [Theory] // length code, what 7FFFFh reads back as
    [InlineData(8, 0xFF0)]
    [InlineData(9, 0x1FF0)]
    [InlineData(15, 0x7FFF0)]
    [InlineData(3, 0x7FFF0)]
    public void PointersAreReducedToTheRing(ulong code, ulong expected)
    {
        ReferenceIommu iommu = Fresh();
        iommu.Write(0x08, 8, code << 56);
        iommu.Write(0x2000, 4, 0x7_FFFF);
        iommu.Write(0x2008, 4, 0x7_FFFF);
        Assert.Equal((expected, expected), (iommu.Read(0x2000, 8), iommu.Read(0x2008, 8)));
    }

    [Fact]
    public void ARunningRingKeepsBaseAndItsOwnPointer()
    {
        Rig rig = new();
        rig.Iommu.Write(0x08, 8, 0);
        rig.Iommu.Write(0x10, 8, 0);
        rig.Iommu.Write(0x2000, 4, 0x40);
        rig.Iommu.Write(0x2018, 4, 0x40);
        rig.Iommu.Write(0x2010, 4, 0x40);
        Assert.Equal(Rig.Commands | 8UL << 56, rig.Iommu.Read(0x08, 8));
        Assert.Equal(Rig.Events | 8UL << 56, rig.Iommu.Read(0x10, 8));
        Assert.Equal((0UL, 0UL, 0x40UL), (rig.Head, rig.Iommu.Read(0x2018, 8), rig.Iommu.Read(0x2010, 8)));
    }
}
