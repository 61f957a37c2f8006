using FastNest.Reference;
using Xunit;

namespace FastNest.Tests.Reference;

public class CommandTests
{
    private const ulong Store = 0x0500_0000;

    [Theory] // opcode, legal bits of the first and second quadword, EFR bit that offers it
    [InlineData(1, 0x000F_FFFF_FFFF_FFFEUL, ulong.MaxValue, -1)] // S would need memory at the store's address
    [InlineData(2, 0xFFFFUL, 0UL, -1)]
    [InlineData(3, 0x0000_FFFF_000F_FFFFUL, 0xFFFF_FFFF_FFFF_F007UL, -1)]
    [InlineData(4, 0x0FFF_FFFF_FFFF_FFFFUL, 0xFFFF_FFFF_FFFF_F005UL, -1)]
    [InlineData(4, 0x0FFF_FFFF_FFFF_FFFFUL, 0xFFFF_FFFF_FFFF_F035UL, 54)]
    [InlineData(5, 0xFFFFUL, 0UL, -1)]
    [InlineData(6, 0x000F_FFFF_FF00_FFFFUL, 0xFFFF_FFFF_FFFF_F015UL, 0)]
    [InlineData(7, 0x000F_FFFF_0000_FFFFUL, 0x0000_FFFF_0000_0004UL, 1)]
    [InlineData(8, 0UL, 0UL, 6)]
    [InlineData(9, 0x0000_FFFF_0000_0000UL, 0UL, 55)]
    [InlineData(10, 0x9800_FFFFUL, 0UL, 55)]
    public void EveryUnlistedBitIsReserved(ulong opcode, ulong low, ulong high, int efrBit)
    {
        ulong efr = efrBit < 0 ? 0 : 1UL << efrBit;
        Assert.True(Executes(opcode << 60 | low, high, efr));
        for (int bit = 0; bit < 60; bit++)
            Assert.Equal((low >> bit & 1) != 0 || (opcode == 1 && bit == 0), Executes(opcode << 60 | 1UL << bit, 0, efr, storeAt0: true));
        for (int bit = 0; bit < 64; bit++)
            Assert.Equal((high >> bit & 1) != 0, Executes(opcode << 60, 1UL << bit, efr));
    }

    [Theory]
    [InlineData(0, ulong.MaxValue)]
    [InlineData(6, 0UL)]
    [InlineData(7, 0UL)]
    [InlineData(8, 0UL)]
    [InlineData(9, 0UL)]
    [InlineData(10, 0UL)]
    [InlineData(11, ulong.MaxValue)]
    [InlineData(15, ulong.MaxValue)]
    public void CommandNotOfferedIsIllegal(ulong opcode, ulong efr) => Assert.False(Executes(opcode << 60, 0, efr & ~(1UL << 63)));

    [Fact]
    public void IllegalCommandStopsTheRingAndTogglingRestartsIt()
    {
        Rig rig = new();
        rig.Command(2UL << 60);
        rig.Command(0);
        rig.Command(2UL << 60 | 5);
        Assert.Equal(0x10UL, rig.Head);
        Assert.Equal(0UL, rig.Status & 0x10);
        Assert.Equal([new ReferenceCommand(2, 2UL << 60, 0, Rig.Commands)], rig.Iommu.ExecutedCommands);
        Assert.Equal([new ReferenceEvent(5UL << 60, Rig.Commands + 0x10)], rig.Logged());

        rig.Iommu.Write(0x18, 8, Rig.On);
        Assert.Equal(0UL, rig.Status & 0x10); // CmdBufEn has to be 0 once
        rig.Iommu.Write(0x18, 8, Rig.On & ~(1UL << 12));
        rig.Iommu.Write(0x2000, 4, 0x20);
        rig.Iommu.Write(0x18, 8, Rig.On);
        Assert.Equal((0x30UL, 0x10UL), (rig.Head, rig.Status & 0x10));
        Assert.Equal(5UL, rig.Iommu.ExecutedCommands[1].Low & 0xFFFF);
    }

    [Fact]
    public void QueuedCommandsRunOnceTranslationIsEnabled()
    {
        Rig rig = new(control: Rig.On & ~1UL);
        rig.Command(2UL << 60);
        Assert.Empty(rig.Iommu.ExecutedCommands);
        rig.Iommu.Write(0x18, 1, 5);
        Assert.Single(rig.Iommu.ExecutedCommands);
    }

    [Fact]
    public void HeadWraps()
    {
        Rig rig = new();
        for (ulong i = 0; i < 1000; i++)
        {
            rig.Command(2UL << 60 | i);
            Assert.Equal((i + 1) * 16 % 4096, rig.Head);
        }

        Assert.Equal(1000, rig.Iommu.ExecutedCommands.Count);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (ulong)i), rig.Iommu.ExecutedCommands.Select(c => c.Low & 0xFFFF));
    }

    [Fact]
    public void CompletionWaitsStoreInOrder()
    {
        Rig rig = new(control: Rig.On & ~1UL);
        rig.Memory.Put(Store, 0);
        rig.Command(1UL << 60 | Store | 1, 1);
        rig.Command(2UL << 60);
        rig.Command(1UL << 60 | Store | 1 | 4, 0xFEDC_BA98_7654_3210);
        rig.Iommu.Write(0x18, 8, Rig.On);
        rig.Memory.TryRead64(Store, out ulong stored);
        Assert.Equal(0xFEDC_BA98_7654_3210, stored);
        Assert.Equal([1, 2, 1], rig.Iommu.ExecutedCommands.Select(c => c.Opcode));
        Assert.Equal(0UL, rig.Status & 4);
    }

    [Theory]
    [InlineData(0UL, 0)]
    [InlineData(1UL << 4, 1)]
    public void CompletionWaitInterrupts(ulong enable, int interrupts)
    {
        Rig rig = new(control: Rig.On | enable);
        rig.Command(1UL << 60 | Store | 2, 7); // no store without S
        Assert.Equal(4UL, rig.Status & 4);
        Assert.Equal(Enumerable.Repeat(ReferenceInterrupt.CompletionWait, interrupts), rig.Iommu.Interrupts);
        rig.Iommu.Write(0x2020, 4, 4);
        Assert.Equal(0UL, rig.Status & 4);
    }

    [Fact]
    public void FailingStoreIsACommandHardwareError()
    {
        Rig rig = new();
        rig.Command(1UL << 60 | Store | 3, 7);
        Assert.Equal([new ReferenceEvent(6UL << 60 | 1UL << 57, Store)], rig.Logged());
        Assert.Equal((0UL, 0UL, 0UL), (rig.Head, rig.Status & 0x14, (ulong)rig.Iommu.ExecutedCommands.Count));
        Assert.Equal(1UL, rig.Iommu.Read(0x50, 8));
    }

    [Fact]
    public void MissingRingMemoryIsACommandHardwareError()
    {
        Rig rig = new(control: 0);
        rig.Iommu.Write(0x08, 8, 0x7000_0000 | 8UL << 56);
        rig.Iommu.Write(0x18, 8, Rig.On);
        rig.Iommu.Write(0x2008, 4, 0x10);
        Assert.Equal([new ReferenceEvent(6UL << 60 | 1UL << 57, 0x7000_0000)], rig.Logged());
    }

    [Theory]
    [InlineData(Store, true)]
    [InlineData(Store + 0xFF8, true)]
    [InlineData(Store + 0x1000, false)]
    [InlineData(Store - 8, false)]
    public void WithSnpStoresAreBounded(ulong at, bool stores)
    {
        Rig rig = new(Rig.Everything | 1UL << 63);
        rig.Memory.Put(at, 0);
        rig.Iommu.Write(0x20, 8, Store);
        rig.Iommu.Write(0x28, 8, Store);
        rig.Command(1UL << 60 | at | 1, 7);
        Assert.Equal(stores ? 1 : 0, rig.Iommu.ExecutedCommands.Count);
    }

    private static bool Executes(ulong low, ulong high, ulong efr, bool storeAt0 = false)
    {
        Rig rig = new(efr, control: Rig.On & 0x1005);
        if (storeAt0)
            rig.Memory.Put(0, 0);
        rig.Command(low, high);
        bool executed = rig.Iommu.ExecutedCommands.Count == 1;
        Assert.Equal(executed ? 0 : 1, rig.Logged().Count(e => e.Code == ReferenceEventCode.IllegalCommandError));
        return executed;
    }
}
