using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

public class DeviceTableTests
{
    [Fact]
    public void DisabledIommuPassesEverything()
    {
        Rig rig = new(control: Rig.On & ~1UL);
        foreach (ulong iova in new[] { 0UL, 0xFEE0_0000, ulong.MaxValue })
            AssertPasses(rig.Ask(iova), iova, 64, Access.All);
    }

    [Fact]
    public void InvalidEntryPassesUntranslated()
    {
        Rig rig = new();
        rig.Dte(~1UL, ulong.MaxValue);
        AssertPasses(rig.Ask(0x1234_5678), 0x1234_5678, 64, Access.All);
        AssertPasses(rig.Ask(7, 0xFEE0_0000), 0xFEE0_0000, 64, Access.All); // with a PASID there is no window
    }

    [Fact]
    public void NoTranslationIsNotPresent()
    {
        ReferenceAnswer answer = new Rig().Dte(Rig.V | Rig.IRIW, 0x1234).Ask(0x5000, Access.Write);
        Assert.Equal((ReferenceEventCode.IoPageFault, "RW", (ushort)0x1234, 0x5000UL), (answer.Event!.Code, Rig.Flags(answer.Event), answer.Event.Domain, answer.Event.Address));
    }

    [Theory] // permissions, access, expected flags
    [InlineData(Rig.IRIW, Access.ReadWrite, null)]
    [InlineData(Rig.IR, Access.Execute, null)]
    [InlineData(Rig.IR, Access.Write, "PR RW PE")]
    [InlineData(Rig.IW, Access.Read, "PR PE")]
    [InlineData(Rig.IW, Access.Execute, "NX PR PE")]
    [InlineData(0UL, Access.Read, "PR PE")]
    [InlineData(Rig.IR, Access.ReadWrite, "PR RW PE")]
    public void ModeZeroIsOneToOneWithinPermissions(ulong permissions, Access access, string? flags)
    {
        ReferenceAnswer answer = new Rig().Dte(Rig.V | Rig.TV | permissions).Ask(0xFFFF_0000_0000_1234, access);
        if (flags is null)
            AssertPasses(answer, 0xFFFF_0000_0000_1234, 64, answer.Permissions);
        else
            Assert.Equal(flags, Rig.Flags(answer.Event));
    }

    [Theory] // Size field, device, whether the table reaches it
    [InlineData(0UL, 0x7FU, true)]
    [InlineData(0UL, 0x80U, false)]
    [InlineData(1UL, 0xFFU, true)]
    [InlineData(0x1FFUL, 0xFFFFU, true)]
    [InlineData(0x1FFUL, 0x10000U, false)]
    public void DeviceBeyondTheTableFaults(ulong size, uint id, bool reached)
    {
        Rig rig = new();
        rig.Iommu.Write(0, 8, Rig.DeviceTable | size);
        ReferenceAnswer answer = rig.Iommu.Translate(new(new DeviceId(id), 0x1000, Access.Write));
        ReferenceEvent expected = reached
            ? new(0x3220_0000_0000_0000UL | id, Rig.DeviceTable + id * 32)
            : new(0x2020_0000_0000_0000UL | id & 0xFFFF, 0x1000);
        Assert.Equal(expected, answer.Event);
    }

    [Theory] // DevTblSegEn, device, segment, index in it
    [InlineData(0, 0x8001U, 0, 0x8001U)]
    [InlineData(1, 0x8001U, 1, 0x0001U)]
    [InlineData(1, 0x7FFFU, 0, 0x7FFFU)]
    [InlineData(2, 0xC002U, 3, 0x0002U)]
    [InlineData(3, 0xE003U, 7, 0x0003U)]
    [InlineData(3, 0x2004U, 1, 0x0004U)]
    public void SegmentsSplitTheDeviceIds(int enable, uint id, int segment, uint index)
    {
        Rig rig = new(control: Rig.On | (ulong)enable << 34);
        for (int s = 1; s < 8; s++)
            rig.Iommu.Write(0x100 + (ulong)(s - 1) * 8, 8, 0x4000_0000UL + (ulong)s * 0x100_0000 | 0xFF);
        ReferenceAnswer answer = rig.Iommu.Translate(new(new DeviceId(id), 0, Access.Read));
        ulong table = segment == 0 ? Rig.DeviceTable : 0x4000_0000UL + (ulong)segment * 0x100_0000;
        Assert.Equal(table + index * 32, answer.Steps.Single().Spa);
    }

    [Theory] // bits of qword 0, of qword 1, EFR bits that make them legal (0: never)
    [InlineData(0x7CUL, 0UL, 0UL)]
    [InlineData(1UL << 63, 0UL, 0UL)]
    [InlineData(3UL << 52, 0UL, 1UL << 1)]
    [InlineData(3UL << 52, 0UL, 1UL << 50)]
    [InlineData(1UL << 54, 0UL, 1UL << 48)]
    [InlineData(0x3FUL << 55, 0UL, 1UL << 4 | 2UL << 14)]
    [InlineData(0UL, 0xFFFF_0000UL, 1UL << 4)]
    [InlineData(0UL, 0xFFFF_F800_0000_0000UL, 1UL << 4)]
    public void ReservedBitIsIllegalWithRz(ulong q0, ulong q1, ulong efr)
    {
        for (int bit = 0; bit < 64; bit++)
        {
            ulong low = q0 & 1UL << bit, high = q1 & 1UL << bit;
            if ((low | high) == 0)
                continue;
            AssertIllegal(new Rig(efr: 0).Dte(Rig.V | Rig.TV | Rig.IRIW | low, high).Ask(0x1237, Access.Write), true, "RW RZ");
            if (efr != 0)
                AssertPasses(new Rig(efr, control: 0x1005).Dte(Rig.V | Rig.TV | Rig.IRIW | low, high).Ask(0x1237), 0x1237, 64, Access.All);
        }
    }

    [Theory] // qword 0, qword 2, EFR, whether illegal
    [InlineData(7UL << 9, 0UL, 2UL << 10, true)]
    [InlineData(6UL << 9, 0UL, 1UL << 10, true)]
    [InlineData(5UL << 9, 0UL, 1UL << 10, false)]
    [InlineData(5UL << 9, 0UL, 0UL, true)]
    [InlineData(1UL << 9, 0UL, 3UL << 10, true)]
    [InlineData(0UL, 0UL, 3UL << 10, false)]
    [InlineData(2UL << 7, 0UL, 1UL << 49, true)]
    [InlineData(2UL << 7, 0UL, 0UL, false)]
    [InlineData(3UL << 7, 0UL, 1UL << 49, false)]
    [InlineData(Rig.GV | 3UL << 56, 0UL, 1UL << 4 | 3UL << 14, true)]
    [InlineData(Rig.GV | 1UL << 56, 0UL, 1UL << 4, true)]
    [InlineData(Rig.GV | 1UL << 56, 0UL, 1UL << 4 | 1UL << 14, false)]
    [InlineData(3UL << 56, 3UL << 54, 1UL << 4, false)] // GV=0
    [InlineData(Rig.GV, 1UL << 54, 1UL << 4, true)]
    [InlineData(Rig.GV, 1UL << 54, 1UL << 4 | 1UL << 12, false)]
    [InlineData(Rig.GV, 2UL << 54, 1UL << 4 | 2UL << 12, true)]
    public void IllegalEncodingIsWithoutRz(ulong q0, ulong q2, ulong efr, bool illegal)
    {
        ReferenceAnswer answer = new Rig(efr).Dte(Rig.V | Rig.TV | Rig.IRIW | q0, 0, q2).Ask(0x1237);
        if (illegal)
            AssertIllegal(answer, false, "");
        else
            Assert.NotEqual(ReferenceEventCode.IllegalDeviceTableEntry, answer.Event?.Code);
    }

    [Fact]
    public void IllegalEntryNamesThePasid() => Assert.Equal(
        new ReferenceEvent(1UL << 60 | 1UL << 55 | 1UL << 48 | 0x2345UL << 32 | 1UL << 16 | 0x310, 0x1234),
        new Rig().Dte(Rig.V | 4).Ask(0x1_2345, 0x1237).Event);

    [Fact]
    public void WithoutGtenGuestFieldsAreNotJudged()
    {
        Rig rig = new(control: Rig.On & ~(1UL << 16));
        rig.Dte(Rig.V | Rig.TV | Rig.IRIW | Rig.GV | 3UL << 56);
        AssertPasses(rig.Ask(0x1000), 0x1000, 64, Access.All);
        Assert.Equal("US", Rig.Flags(rig.Ask(3, 0x1000).Event)); // reading 17
    }

    [Theory]
    [InlineData(false, false, 0x5_0000UL, false)]
    [InlineData(true, false, 0x5_0000UL, true)]
    [InlineData(false, true, 0x5_0000UL, true)]
    [InlineData(true, true, 0x4_FFFFUL, false)]
    [InlineData(true, true, 0x6_0FFFUL, true)]
    [InlineData(true, true, 0x6_1000UL, false)]
    public void ExclusionRangePassesUntranslated(bool allow, bool ex, ulong iova, bool excluded)
    {
        Rig rig = new();
        rig.Iommu.Write(0x20, 8, 0x5_0000UL | 1 | (allow ? 2UL : 0));
        rig.Iommu.Write(0x28, 8, 0x6_0000);
        rig.Dte(Rig.V | Rig.GV, ex ? 1UL << 39 : 0); // not even TV
        ReferenceAnswer answer = rig.Ask(iova, Access.Write);
        if (excluded)
            AssertPasses(answer, iova, 12, Access.All);
        else
            Assert.Equal("RW", Rig.Flags(answer.Event));
        Assert.NotNull(rig.Ask(1, iova).Event); // a PASID is never excluded
        rig.Iommu.RestoreRegister(0x30, Rig.Everything | 1UL << 63);
        Assert.NotNull(rig.Ask(iova).Event); // with SNP the range means something else
        rig.Iommu.RestoreRegister(0x30, Rig.Everything);
        rig.Dte(Rig.V | 4, ex ? 1UL << 39 : 0);
        Assert.Equal(ReferenceEventCode.IllegalDeviceTableEntry, rig.Ask(iova).Event!.Code); // validity comes first
    }

    [Theory] // access, qword 2, qword 3, event, flags, type
    [InlineData(Access.Read, 0UL, 0UL, ReferenceEventCode.InvalidDeviceRequest, 0)]
    [InlineData(Access.Execute, 0UL, 0UL, ReferenceEventCode.InvalidDeviceRequest, 0)]
    [InlineData(Access.ReadWrite, 0UL, 0UL, ReferenceEventCode.InvalidDeviceRequest, 0)]
    [InlineData(Access.Write, ~1UL, ulong.MaxValue, null, 0)]
    [InlineData(Access.Write, 1UL, 0UL, ReferenceEventCode.InvalidDeviceRequest, 4)]
    [InlineData(Access.Write, 1UL | 1UL << 60, 0UL, null, 0)]
    [InlineData(Access.Write, 1UL | 2UL << 60, 0xFFA0_FFFF_FFFF_8000UL, null, 0)]
    [InlineData(Access.Write, 1UL | 3UL << 60, 0UL, ReferenceEventCode.IllegalDeviceTableEntry, 0)]
    [InlineData(Access.Write, 1UL | 2UL << 60 | 11 << 1, 0UL, null, 0)]
    [InlineData(Access.Write, 1UL | 2UL << 60 | 12 << 1, 0UL, ReferenceEventCode.IllegalDeviceTableEntry, 0)]
    [InlineData(Access.Write, 1UL | 2UL << 60 | 1UL << 52, 0UL, ReferenceEventCode.IllegalDeviceTableEntry, 1)]
    [InlineData(Access.Write, 1UL | 2UL << 60 | 1UL << 53, 0UL, ReferenceEventCode.IllegalDeviceTableEntry, 1)]
    [InlineData(Access.Write, 1UL | 2UL << 60, 1UL << 14, ReferenceEventCode.IllegalDeviceTableEntry, 1)]
    [InlineData(Access.Write, 1UL | 2UL << 60, 1UL << 48, ReferenceEventCode.IllegalDeviceTableEntry, 1)]
    [InlineData(Access.Write, 1UL | 2UL << 60, 1UL << 52, ReferenceEventCode.IllegalDeviceTableEntry, 1)]
    public void InterruptWindow(Access access, ulong q2, ulong q3, ReferenceEventCode? code, int typeOrRz)
    {
        Rig rig = new();
        rig.Dte(0x7D, 0, q2, q3); // V=1 with reserved bits: it plays no part
        foreach (ulong iova in new[] { 0xFEE0_0000UL, 0xFEEF_FFFFUL })
        {
            ReferenceAnswer answer = rig.Ask(iova, access);
            Assert.Equal(code, answer.Event?.Code);
            Assert.Equal(code is null, answer.IsMessage);
            if (code is null)
                AssertPasses(answer, iova, 12, Access.Write);
            else if (code == ReferenceEventCode.InvalidDeviceRequest)
                Assert.Equal(new ReferenceEvent(8UL << 60 | (ulong)typeOrRz << 57 | 0x310, iova), answer.Event);
            else
                Assert.Equal(typeOrRz == 1 ? "I RW RZ" : "I RW", Rig.Flags(answer.Event));
        }

        Assert.Equal(ReferenceEventCode.IllegalDeviceTableEntry, rig.Ask(0xFEDF_FFFF, access).Event!.Code);
        Assert.Equal(ReferenceEventCode.IllegalDeviceTableEntry, rig.Ask(0xFEF0_0000, access).Event!.Code);
        Assert.Equal(ReferenceEventCode.IllegalDeviceTableEntry, rig.Ask(0x1_FEE0_0000, access).Event!.Code);
    }

    private static void AssertPasses(ReferenceAnswer answer, ulong iova, int shift, Access permissions) => Assert.Equal(
        (iova, shift, permissions, null), (answer.OutputAddress, answer.PageShift, answer.Permissions, answer.Event));

    private static void AssertIllegal(ReferenceAnswer answer, bool rz, string flags)
    {
        Assert.Equal(ReferenceEventCode.IllegalDeviceTableEntry, answer.Event?.Code);
        Assert.Equal((rz, flags, 0x1234UL, (ushort)0x310), (answer.Event!.RZ, Rig.Flags(answer.Event), answer.Event.Address, answer.Event.DeviceId));
    }
}
