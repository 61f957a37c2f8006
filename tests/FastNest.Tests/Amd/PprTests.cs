using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Readings 80 to 85 and digest section 7.2.</summary>
public sealed class PprTests : IDisposable
{
    private const uint Device = 0x18;
    private const ulong PprRing = 0x58_0000;
    private const ulong PprIntEn = 1 << 14;
    private const ulong PprEn = 1 << 15;
    private const ulong PprAutoRspEn = 1UL << 39;
    private const ulong PprAutoRspAon = 1UL << 42;
    private const ulong PprOverflow = 1 << 5;
    private const ulong PprInt = 1 << 6;

    private readonly TestMachine _machine = new();
    private readonly List<PageResponse> _responses = [];
    private readonly List<IommuInterrupt> _interrupts = [];
    private readonly AmdIommu _iommu;

    public PprTests()
    {
        _iommu = new(_machine.Memory, new() { PageResponse = _responses.Add, Interrupt = _interrupts.Add });
        _machine.SetDte(Device, Bits.V | Bits.TV | 1UL << 52);
        _iommu.Write(Mmio.DeviceTableBase, 8, TestMachine.DeviceTable | 0x1FF);
        _iommu.Write(Mmio.EventBase, 8, TestMachine.EventRing | 9UL << 56);
        _iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        _iommu.Write(Mmio.PprBase, 8, PprRing | 8UL << 56);
        Enable();
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void ARequestIsLoggedBitForBit()
    {
        _iommu.RequestPage(new(new(Device), 0xABCDE, 0x1234_5678, Access.ReadWrite, 0x155, Last: true));
        const ulong flags = 0x100 | 0x40 | 0x20 | 0x04;
        Assert.Equal(1UL << 60 | flags << 48 | 0xAUL << 42 | 1UL << 41 | 0x155UL << 32 | 0xBCDEUL << 16 | Device, _machine.Peek(PprRing));
        Assert.Equal(0x1234_5000UL, _machine.Peek(PprRing + 8));
        Assert.Equal((16UL, PprInt), (_iommu.Read(Mmio.PprTail, 8), _iommu.Read(Mmio.Status, 8) & PprInt));
        Assert.Equal([IommuInterrupt.PprLog], _interrupts);
        _iommu.RequestPage(new(new(Device), null, 0x5000, Access.Execute, 0, Last: false, Privileged: true));
        Assert.Equal(1UL << 60 | 2UL << 48 | Device, _machine.Peek(PprRing + 16));
    }

    [Theory]
    [InlineData(Bits.V | Bits.TV, PprEn)]
    [InlineData(Bits.TV | 1UL << 52, PprEn)]
    [InlineData(Bits.V | Bits.TV | 1UL << 52, 0UL)]
    public void ARequestThatMayNotBeIsReported(ulong dte, ulong enabled)
    {
        _machine.SetDte(Device, dte);
        Enable(clear: PprEn & ~enabled);
        _iommu.RequestPage(new(new(Device), 3, 0x5678, Access.Read, 1, Last: true));
        Assert.Equal(9UL << 60 | 0x144UL << 48 | 1UL << 41 | 1UL << 32 | 3UL << 16 | Device, _machine.Peek(TestMachine.EventRing));
        Assert.Equal(0x5000UL, _machine.Peek(TestMachine.EventRing + 8));
        Assert.Equal(0UL, _iommu.Read(Mmio.PprTail, 8));
    }

    [Fact]
    public void AnIllegalEntryIsReportedAsSuch()
    {
        _machine.SetDte(Device, Bits.DteLow(0, 7) | 1UL << 52);
        _iommu.RequestPage(new(new(Device), null, 0x5678, Access.Read, 1, Last: true));
        Assert.Equal((1UL, 0x5000UL), (_machine.Peek(TestMachine.EventRing) >> 60, _machine.Peek(TestMachine.EventRing + 8)));
    }

    [Fact]
    public void WithoutPageRequestsTheEntryDoesNotMatter()
    {
        _machine.SetDte(Device, Bits.DteLow(0, 7) | 1UL << 52);
        Enable(clear: PprEn);
        _iommu.RequestPage(Request(1));
        Assert.Equal(9UL, _machine.Peek(TestMachine.EventRing) >> 60);
    }

    [Fact]
    public void ADeviceBeyondTheTableMayNotAsk()
    {
        _iommu.Write(Mmio.DeviceTableBase, 8, TestMachine.DeviceTable);
        _iommu.RequestPage(Request(1) with { Device = new(0x80) });
        Assert.Equal((9UL << 60 | 4UL << 48 | 1UL << 41 | 1UL << 32 | 0x80, 16UL), (_machine.Peek(TestMachine.EventRing), _iommu.Read(Mmio.EventTail, 8)));
    }

    [Fact]
    public void AFullLogOverflowsAndIsRestarted()
    {
        for (int i = 0; i < 256; i++)
        {
            _iommu.RequestPage(Request(i));
        }

        Assert.Equal(PprOverflow | PprInt, _iommu.Read(Mmio.Status, 8) & (PprOverflow | PprInt | Mmio.PprLogRun));
        Assert.Equal(255UL * 16, _iommu.Read(Mmio.PprTail, 8));
        Assert.Equal(256, _interrupts.Count);
        _iommu.Write(Mmio.PprHead, 8, 16);
        _iommu.Write(Mmio.Status, 8, PprOverflow);
        Assert.Equal(0UL, _iommu.Read(Mmio.Status, 8) & Mmio.PprLogRun);
        Enable(clear: Mmio.PprLogEn);
        Enable();
        Assert.Equal(Mmio.PprLogRun, _iommu.Read(Mmio.Status, 8) & Mmio.PprLogRun);
        _iommu.RequestPage(Request(7));
        Assert.Equal(0UL, _iommu.Read(Mmio.PprTail, 8));
    }

    [Fact]
    public void AutomaticAnswersGoToTheLastOfAGroup()
    {
        _iommu.Write(0x2080, 8, 0x1F);
        Enable(set: PprAutoRspEn);
        _iommu.RequestPage(Request(1));
        Assert.Empty(_responses);
        Enable(set: PprAutoRspEn, clear: Mmio.PprLogEn);
        _iommu.RequestPage(Request(2));
        _iommu.RequestPage(Request(3) with { Last = false });
        Enable(set: PprAutoRspEn | PprAutoRspAon);
        _iommu.RequestPage(Request(4) with { Pasid = 9 });
        Assert.Equal([new(new(Device), null, 2, 15), new(new(Device), 9, 4, 15)], _responses);
        Assert.Equal(16UL, _iommu.Read(Mmio.PprTail, 8));
    }

    [Fact]
    public void CompletePprRequestAnswersTheDevice()
    {
        _machine.Poke(TestMachine.CommandRing, 7UL << 60 | 0xABCDEUL << 32 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 1UL << 44 | 0x155UL << 32 | 4);
        _machine.Poke(TestMachine.CommandRing + 16, 7UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 24, 0);
        _iommu.Write(Mmio.CommandTail, 4, 0x20);
        Assert.Equal([new(new(Device), 0xABCDE, 0x155, 1), new(new(Device), null, 0, 0)], _responses);
    }

    [Fact]
    public void ArgumentsBeyondTheirFieldsAreRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>("Group", () => _iommu.RequestPage(Request(512)));
        Assert.Throws<ArgumentOutOfRangeException>("Pasid", () => _iommu.RequestPage(Request(0) with { Pasid = 1 << 20 }));
    }

    private static PageRequest Request(int group) => new(new(Device), null, 0x5000, Access.Read, group, Last: true);

    private void Enable(ulong set = 0, ulong clear = 0)
    {
        ulong control = Mmio.IommuEn | Mmio.EventLogEn | Mmio.CmdBufEn | Mmio.PprLogEn | PprIntEn | PprEn;
        _iommu.Write(Mmio.Control, 8, (control | set) & ~clear);
    }

    [Fact]
    public void APrivilegedRequestWithPasidIsNoUsers()
    {
        _iommu.RequestPage(new(new(Device), 1, 0x5000, Access.Read, 0, Last: false, Privileged: true));
        Assert.Equal(1UL << 60 | 0x104UL << 48 | 1UL << 16 | Device, _machine.Peek(PprRing));
    }

    /// <summary>Reading 80: an entry that is not valid is not judged, one that cannot be read is named.</summary>
    [Fact]
    public void AnInvalidEntryIsNotJudgedAndAnUnreadableOneIsNamed()
    {
        _machine.SetDte(Device, 0x7C); // reserved bits without V
        _iommu.RequestPage(new(new(Device), null, 0x5678, Access.Read, 0, Last: true));
        Assert.Equal(9UL, _machine.Peek(TestMachine.EventRing) >> 60);
        _iommu.Write(Mmio.DeviceTableBase, 8, TestMachine.Hole | 0x1FF);
        _iommu.RequestPage(new(new(Device), null, 0x5678, Access.Read, 0, Last: true));
        Assert.Equal(3UL, _machine.Peek(TestMachine.EventRing + 16) >> 60);
        Assert.Equal(TestMachine.Hole + Device * 32, _machine.Peek(TestMachine.EventRing + 24));
    }

    [Fact]
    public void EveryBitOfAnAnswersFieldsReachesTheDevice()
    {
        const ulong pasid = 0xFFFFF;
        _machine.Poke(TestMachine.CommandRing, 7UL << 60 | pasid << 32 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 15UL << 44 | 511UL << 32 | 4);
        _iommu.Write(Mmio.CommandTail, 8, 16);
        Assert.Equal([new PageResponse(new(Device), (uint)pasid, 511, 15)], _responses);
    }
}
