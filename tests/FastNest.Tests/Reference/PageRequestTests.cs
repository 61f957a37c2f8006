using FastNest.Reference;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Reference;

/// <summary>Page requests, the PPR log and responses (readings 80 to 85).</summary>
public class PageRequestTests
{
    private const ulong Log = 0x0220_0000, Ppr = 1UL << 52, AutoRspSup = 1UL << 41;
    private const ulong LogEn = 1UL << 13, IntEn = 1UL << 14, En = 1UL << 15, AutoRsp = 1UL << 39, AutoRspAon = 1UL << 42;
    private const ulong Overflow = 1 << 5, Int = 1 << 6, Run = 1 << 7;
    private const ReferencePageOutcome Logged = ReferencePageOutcome.Logged, Lost = ReferencePageOutcome.Lost;
    private const ReferencePageOutcome Refused = ReferencePageOutcome.Refused, Answered = ReferencePageOutcome.Answered;

    private static readonly ReferencePageRequest Plain = new(Rig.Device, null, 0x1234_5000, Access.Read, false, 0x1A5, false);

    private static Rig Make(ulong control = LogEn | En, ulong efr = Rig.Everything | AutoRspSup, ulong q0 = Rig.V | Ppr)
    {
        Rig rig = new(efr, control: Rig.On);
        rig.Memory.Add(Log);
        rig.Iommu.Write(0x38, 8, Log | 8UL << 56);
        rig.Iommu.Write(0x18, 8, Rig.On | control);
        return rig.Dte(q0);
    }

    private static List<(ulong Low, ulong High)> Entries(Rig rig)
    {
        List<(ulong, ulong)> entries = [];
        for (ulong at = rig.Iommu.Read(0x2030, 8); at != rig.Iommu.Read(0x2038, 8); at = (at + 16) % 4096)
        {
            rig.Memory.TryRead64(Log + at, out ulong low);
            rig.Memory.TryRead64(Log + at + 8, out ulong high);
            entries.Add((low, high));
        }

        return entries;
    }

    public static TheoryData<uint?, Access, bool, int, bool, ulong> Layouts => new()
    {
        { null, Access.Read, false, 0x1A5, false, 0x1004_01A5_0000_0310 },
        { null, Access.Write, true, 0, true, 0x1020_0200_0000_0310 },
        { null, Access.None, false, 511, true, 0x1000_03FF_0000_0310 },
        { 0xF_ABCDU, Access.Read | Access.Execute, false, 1, false, 0x1146_3C01_ABCD_0310 },
        { 0xA_0001U, Access.ReadWrite, true, 1, true, 0x1124_2A01_0001_0310 },
    };

    [Theory] // reading 81
    [MemberData(nameof(Layouts))]
    public void TheEntrysLayout(uint? pasid, Access access, bool privileged, int group, bool last, ulong low)
    {
        Rig rig = Make();
        Assert.Equal(Logged, rig.Iommu.RequestPage(new(Rig.Device, pasid, 0xFFFF_8123_4567_8ABC, access, privileged, group, last)));
        Assert.Equal((low, 0xFFFF_8123_4567_8000), Assert.Single(Entries(rig)));
        Assert.Empty(rig.Logged());
    }

    [Theory] // reading 85: the same fields under code 9
    [MemberData(nameof(Layouts))]
    public void TheInvalidRequestsLayout(uint? pasid, Access access, bool privileged, int group, bool last, ulong low)
    {
        Rig rig = Make(q0: Rig.V);
        Assert.Equal(Refused, rig.Iommu.RequestPage(new(Rig.Device, pasid, 0x4567_8ABC, access, privileged, group, last)));
        ReferenceEvent e = Assert.Single(rig.Logged());
        Assert.Equal(new ReferenceEvent(low + (8UL << 60), 0x4567_8000), e);
        Assert.Equal(
            (ReferenceEventCode.InvalidPprRequest, pasid ?? 0, pasid is not null, (access & Access.Write) != 0, pasid is not null && !privileged),
            (e.Code, e.Pasid, e.GN, e.RW, e.US));
        Assert.Equal((false, false, (ushort)0), (e.TR, e.PE, e.Domain));
        Assert.Empty(Entries(rig));
    }

    [Theory] // reading 80
    [InlineData(Rig.Everything, LogEn | En, Rig.V | Ppr, Logged)]
    [InlineData(Rig.Everything, LogEn, Rig.V | Ppr, Refused)]
    [InlineData(Rig.Everything, LogEn | En, Rig.V, Refused)]
    [InlineData(Rig.Everything, LogEn | En, Ppr, Refused)]
    [InlineData(Rig.Everything, LogEn | En, Ppr | 1 << 2, Refused)] // V=0: not checked
    [InlineData(Rig.Everything & ~2UL | 1UL << 50, LogEn | En, Rig.V | Ppr, Refused)] // EPHSup keeps the DTE legal
    public void WhatIsAccepted(ulong efr, ulong control, ulong q0, ReferencePageOutcome outcome)
    {
        Rig rig = Make(control, efr, q0);
        Assert.Equal(outcome, rig.Iommu.RequestPage(Plain));
        Assert.Equal(outcome == Refused ? [ReferenceEventCode.InvalidPprRequest] : [], rig.Logged().Select(e => e.Code));
    }

    [Fact]
    public void DeviceTableErrorsAreThoseOfAnUntranslatedRequest()
    {
        Rig rig = Make();
        rig.Iommu.RequestPage(Plain with { Device = new(0xFFFF), Access = Access.Write });
        rig.Dte(Rig.V | Ppr | 1 << 2).Iommu.RequestPage(Plain with { Pasid = 5 });
        rig.Dte(Rig.V | Ppr | 7 << 9).Iommu.RequestPage(Plain);
        Assert.Equal(
            [new(3UL << 60 | 1UL << 57 | 1UL << 53 | 0xFFFF, Rig.DeviceTable + 0x1F_FFE0),
             new(1UL << 60 | 1UL << 55 | 1UL << 48 | 5UL << 32 | 0x310, 0x1234_5000),
             new ReferenceEvent(1UL << 60 | 0x310, 0x1234_5000)],
            rig.Logged());
        rig.Iommu.Write(0, 8, Rig.DeviceTable); // now the device lies beyond the table
        rig.Iommu.RequestPage(Plain);
        Assert.Equal(ReferenceEventCode.InvalidPprRequest, rig.Logged()[^1].Code);
    }

    [Fact]
    public void NothingHappensWhileOff()
    {
        Rig rig = Make(q0: 0);
        rig.Iommu.Write(0x18, 8, (Rig.On | LogEn | En) & ~1UL);
        Assert.Equal(ReferencePageOutcome.Dropped, rig.Iommu.RequestPage(Plain));
        Assert.Equal((0UL, 0UL), (rig.Iommu.Read(0x2018, 8), rig.Iommu.Read(0x2038, 8)));
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(IntEn, 2)]
    public void EachEntryInterrupts(ulong enable, int interrupts)
    {
        Rig rig = Make(LogEn | En | enable);
        Assert.Equal(Run, rig.Status & (Run | Int));
        rig.Iommu.RequestPage(Plain);
        Assert.Equal(Run | Int, rig.Status & (Run | Int));
        rig.Iommu.Write(0x2020, 4, Int);
        Assert.Equal(Run, rig.Status & (Run | Int));
        rig.Iommu.RequestPage(Plain);
        Assert.Equal(Int, rig.Status & Int);
        Assert.Equal(Enumerable.Repeat(ReferenceInterrupt.Ppr, interrupts), rig.Iommu.Interrupts);
    }

    [Theory] // reading 82
    [InlineData(0UL, 0)]
    [InlineData(IntEn, 256)]
    public void OverflowStopsTheLogUntilBothAreCleared(ulong enable, int interrupts)
    {
        Rig rig = Make(LogEn | En | enable);
        for (int i = 0; i < 255; i++)
            Assert.Equal(Logged, rig.Iommu.RequestPage(Plain with { Group = i }));
        rig.Iommu.Write(0x2020, 4, Int);
        Assert.Equal(Lost, rig.Iommu.RequestPage(Plain));
        Assert.Equal(Overflow, rig.Status & (Run | Int | Overflow));
        Assert.Equal(Lost, rig.Iommu.RequestPage(Plain));
        Assert.Equal(interrupts, rig.Iommu.Interrupts.Count);
        Assert.Equal(Enumerable.Range(0, 255).Select(i => (ulong)i), Entries(rig).Select(e => e.Low >> 32 & 0x1FF));

        rig.Iommu.Write(0x2030, 4, 0xFF0);
        rig.Iommu.Write(0x2020, 4, Overflow);
        Assert.Equal(0UL, rig.Status & Run); // PprLogEn has to be 0 once
        rig.Iommu.Write(0x18, 8, Rig.On | En);
        rig.Iommu.Write(0x18, 8, Rig.On | En | LogEn);
        Assert.Equal(Run, rig.Status & Run);
        Assert.Equal(Logged, rig.Iommu.RequestPage(Plain));
        Assert.Equal((0UL, 1), (rig.Iommu.Read(0x2038, 4), Entries(rig).Count)); // wrapped
        rig.Iommu.RestoreRegister(0x2020, Overflow);
        rig.Iommu.Write(0x2020, 4, Overflow);
        Assert.Equal(0UL, rig.Status & Run); // a restored overflow is one
    }

    [Fact]
    public void ARunningLogLocksItsBaseAndTail()
    {
        Rig rig = Make();
        rig.Iommu.RequestPage(Plain);
        rig.Iommu.Write(0x38, 8, 0x0900_0000 | 9UL << 56);
        rig.Iommu.Write(0x2038, 4, 0x40);
        Assert.Equal((Log | 8UL << 56, 0x10UL), (rig.Iommu.Read(0x38, 8), rig.Iommu.Read(0x2038, 4)));
        rig.Iommu.Write(0x18, 8, Rig.On | En);
        rig.Iommu.Write(0x2038, 4, 0x40);
        Assert.Equal(0x40UL, rig.Iommu.Read(0x2038, 4));
        rig.Iommu.Write(0x38, 8, 0x0900_0000 | 9UL << 56);
        Assert.Equal(0UL, rig.Iommu.Read(0x2038, 4));
    }

    [Fact]
    public void AnEntryWithoutMemoryIsLostAndTheLogGoesOn()
    {
        Rig rig = Make(En);
        rig.Iommu.Write(0x38, 8, 0x7000_0000 | 8UL << 56);
        rig.Iommu.Write(0x18, 8, Rig.On | En | LogEn);
        Assert.Equal(Lost, rig.Iommu.RequestPage(Plain));
        Assert.Equal((0UL, Run), (rig.Iommu.Read(0x2038, 4), rig.Status & (Run | Int)));
    }

    [Theory] // reading 83: control, last in group, what becomes of it
    [InlineData(0UL, true, Lost)]
    [InlineData(AutoRsp, true, Answered)]
    [InlineData(AutoRsp, false, Lost)]
    [InlineData(AutoRsp | LogEn, true, Logged)]
    [InlineData(AutoRsp | AutoRspAon | LogEn, true, Answered)]
    [InlineData(AutoRsp | AutoRspAon | LogEn, false, Lost)]
    [InlineData(AutoRspAon | LogEn, true, Logged)]
    [InlineData(AutoRspAon, true, Lost)]
    public void AutoResponse(ulong control, bool last, ReferencePageOutcome outcome)
    {
        Rig rig = Make(En | control);
        rig.Iommu.Write(0x2080, 8, 0x1F);
        Assert.Equal(outcome, rig.Iommu.RequestPage(Plain with { Last = last, Pasid = 9 }));
        rig.Iommu.Write(0x2080, 8, 0x12);
        rig.Iommu.RequestPage(Plain with { Last = last });
        Assert.Equal(outcome == Logged ? 2 : 0, Entries(rig).Count);
        Assert.Empty(rig.Logged());
        ReferencePageResponse[] expected = [new(Rig.Device, 9, 0x1A5, 15), new(Rig.Device, null, 0x1A5, 2)];
        Assert.Equal(outcome == Answered ? expected : [], rig.Iommu.PageResponses);
    }

    [Fact]
    public void RefusedRequestsAreNotAnswered()
    {
        Rig rig = Make(En | AutoRsp, q0: Rig.V);
        Assert.Equal(Refused, rig.Iommu.RequestPage(Plain with { Last = true }));
        Assert.Empty(rig.Iommu.PageResponses);
    }

    [Fact]
    public void CommandsSendResponses() // reading 84
    {
        Rig rig = Make(0);
        rig.Command(7UL << 60 | 0xF_ABCDUL << 32 | 0x4321, 0xF1A5UL << 32 | 4);
        rig.Command(7UL << 60 | 0xF_ABCDUL << 32 | 0x0310, 0x1E00UL << 32); // GN=0; bits 11:9 of the tag mean nothing
        Assert.Equal([new(new(0x4321), 0xF_ABCD, 0x1A5, 15), new ReferencePageResponse(Rig.Device, null, 0, 1)], rig.Iommu.PageResponses);
    }

    [Fact]
    public void WhatDoesNotFitIsRejected()
    {
        Rig rig = Make();
        Assert.Throws<ArgumentOutOfRangeException>(() => rig.Iommu.RequestPage(Plain with { Group = 512 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => rig.Iommu.RequestPage(Plain with { Group = -1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => rig.Iommu.RequestPage(Plain with { Pasid = 1 << 20 }));
    }
}
