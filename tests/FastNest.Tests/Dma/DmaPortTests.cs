using FastNest.Amd;
using FastNest.Dma;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Dma;

public sealed class DmaPortTests : IDisposable
{
    private const uint Device = 0x10;
    private const ulong Iova = 0x1000_0000;
    private const ulong First = 0x80_0000;
    private const ulong Second = 0x90_0000;

    private readonly TestMachine _machine = new();
    private readonly List<(ulong Address, ulong Data)> _messages = [];
    private readonly DmaPort _dma;
    private readonly Requester _requester = new(new(Device));
    private readonly ulong _root;

    public DmaPortTests()
    {
        _root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(_root, 3), 5);
        _machine.Map(_root, 3, Iova, First);
        _machine.Map(_root, 3, Iova + 0x1000, Second);
        _machine.Start();
        _dma = new(_machine.Port, (_, address, data) => _messages.Add((address, data)));
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void ATransferCrossesPages()
    {
        byte[] data = [.. Enumerable.Range(0, 100).Select(static i => (byte)(i + 1))];
        DmaResult written = _dma.Write(_requester, Iova + 0xFC0, data);
        Assert.Equal((true, 100L), (written.Succeeded, written.Done));
        Assert.Equal(0x0807_0605_0403_0201UL, _machine.Peek(First + 0xFC0));
        Assert.Equal(0x4847_4645_4443_4241UL, _machine.Peek(Second));
        byte[] back = new byte[100];
        DmaResult read = _dma.Read(_requester, Iova + 0xFC0, back);
        Assert.Equal((true, 100L), (read.Succeeded, read.Done));
        Assert.Equal(data, back);
    }

    [Fact]
    public void AFaultHalfWayLeavesTheCountDone()
    {
        DmaResult result = _dma.Write(_requester, Iova + 0x1FF0, new byte[64]);
        Assert.Equal((false, 16L, FaultReason.NotPresent), (result.Succeeded, result.Done, result.Translation.Reason));
        Assert.Equal(Iova + 0x2000, result.Translation.Address);
        result = _dma.Read(_requester, Iova + 0x1FF0, new byte[64]);
        Assert.Equal((false, 16L, FaultReason.NotPresent), (result.Succeeded, result.Done, result.Translation.Reason));
    }

    [Fact]
    public void ARefusedTransferTouchesNoMemoryThatHasTheDevicesAddress()
    {
        _machine.Poke(First, 0x1111);
        byte[] buffer = [9, 9, 9, 9];
        Assert.Equal((0L, FaultReason.NotPresent), Of(_dma.Read(_requester, First, buffer)));
        Assert.Equal([9, 9, 9, 9], buffer);
        Assert.Equal((0L, FaultReason.NotPresent), Of(_dma.Write(_requester, First, buffer)));
        Assert.Equal(0x1111UL, _machine.Peek(First));

        static (long, FaultReason) Of(DmaResult result) => (result.Done, result.Translation.Reason);
    }

    [Fact]
    public void AReadOnlyPageRefusesTheWrite()
    {
        _machine.Map(_root, 3, Iova + 0x5000, First, Bits.IR);
        Assert.True(_dma.Read(_requester, Iova + 0x5000, new byte[8]).Succeeded);
        DmaResult result = _dma.Write(_requester, Iova + 0x5000, new byte[8]);
        Assert.Equal((0L, FaultReason.PermissionDenied), (result.Done, result.Translation.Reason));
    }

    [Fact]
    public void AScatterGatherListStopsAtItsFirstFault()
    {
        byte[] data = [.. Enumerable.Range(0, 48).Select(static i => (byte)i)];
        DmaSegment[] list = [new(Iova + 0x10, 16), new(Iova + 0x1010, 16), new(Iova + 0x8000, 16), new(Iova, 16)];
        DmaResult result = _dma.Write(_requester, list, data);
        Assert.Equal((32L, FaultReason.NotPresent), (result.Done, result.Translation.Reason));
        byte[] back = new byte[20];
        result = _dma.Read(_requester, list, back);
        Assert.Equal((20L, true), (result.Done, result.Succeeded));
        Assert.Equal(data[..20], back);
    }

    [Fact]
    public void AListWithANegativeLengthIsRefusedBeforeAnythingIsDone()
    {
        DmaSegment[] list = [new(Iova, 4), new(Iova, -4)];
        foreach (Action transfer in (Action[])[() => _dma.Write(_requester, list, [1, 2, 3, 4, 5]), () => _dma.Read(_requester, list, new byte[8])])
        {
            var exception = Assert.Throws<ArgumentOutOfRangeException>(transfer);
            Assert.Equal(("Length", -4), (exception.ParamName, exception.ActualValue));
        }

        Assert.Equal(0UL, _machine.Peek(First));
    }

    [Fact]
    public void AnOutputWithoutMemoryIsAStatus()
    {
        _machine.Map(_root, 3, Iova + 0x6000, TestMachine.Hole);
        DmaResult result = _dma.Write(_requester, Iova + 0x6000, new byte[8]);
        Assert.Equal((false, 0L, MemoryStatus.Hole), (result.Succeeded, result.Done, result.Memory));
        result = _dma.Read(_requester, Iova + 0x6000, new byte[8]);
        Assert.Equal((false, 0L, MemoryStatus.Hole), (result.Succeeded, result.Done, result.Memory));
    }

    [Fact]
    public void ADeviceMayWriteToTheIommuItself()
    {
        // The window's owner waits for batches: none may be open while the write reaches it.
        _machine.Memory.AddMmio(0xFED8_0000, FastNest.Amd.AmdIommu.MmioSize, _machine.Iommu);
        _machine.Map(_root, 3, Iova + 0x7000, 0xFED8_2000);
        ulong tail = _machine.Queue(Bits.InvalidateAll(), Bits.StoreWait(TestMachine.Semaphore, 77));
        DmaResult result = _dma.Write(_requester, Iova + 0x7008, BitConverter.GetBytes((uint)tail));
        Assert.True(result.Succeeded);
        Assert.Equal(77UL, _machine.Peek(TestMachine.Semaphore));
        byte[] head = new byte[4];
        Assert.True(_dma.Read(_requester, Iova + 0x7000, head).Succeeded);
        Assert.Equal((uint)tail, BitConverter.ToUInt32(head));
    }

    [Fact]
    public void AWriteToTheInterruptWindowIsAMessage()
    {
        DmaResult result = _dma.Write(_requester, 0xFEE0_1004, [0x41, 0x42, 0, 0]);
        Assert.Equal((true, 4L), (result.Succeeded, result.Done));
        Assert.Equal([(0xFEE0_1004UL, 0x4241UL)], _messages);
    }

    /// <summary>A message has four bytes; what a longer write holds beyond them is done and lost.</summary>
    [Fact]
    public void ALongWriteToTheInterruptWindowIsOneMessage()
    {
        DmaResult result = _dma.Write(_requester, 0xFEE0_1000, [1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal((true, 8L), (result.Succeeded, result.Done));
        Assert.Equal([(0xFEE0_1000UL, 0x0403_0201UL)], _messages);
    }

    /// <summary>A guest's table may map both the last page and the first.</summary>
    [Fact]
    public void ATransferStopsAtTheEndOfTheAddressSpace()
    {
        const ulong Gcr3 = 0x70_0000;
        const ulong Tables = 0x71_0000;
        using var machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
        machine.Poke(Gcr3 + 8, Tables | 1);
        foreach (ulong slot in new[] { 0UL, 511UL })
        {
            for (ulong level = 0; level < 3; level++)
            {
                machine.Poke(Tables + level * 0x1000 + slot * 8, (Tables + level * 0x1000 + 0x1000) | 7);
            }

            machine.Poke(Tables + 0x3000 + slot * 8, (slot == 0 ? First : Second) | 7);
        }

        machine.SetDte(Device, Bits.DteLow(0, 0) | Bits.GuestLow(Gcr3), 5 | Bits.GuestMiddle(Gcr3));
        machine.Start(1UL << 16 | 1UL << 58);
        var dma = new DmaPort(machine.Port);
        var requester = new Requester(new(Device), 1);
        var data = new byte[32];
        Array.Fill(data, (byte)0x5A);
        DmaResult written = dma.Write(requester, 0xFFFF_FFFF_FFFF_FFF0, data);
        Assert.Equal((false, 16L, MemoryStatus.BeyondAddressWidth), (written.Succeeded, written.Done, written.Memory));
        Assert.Equal((0x5A5A_5A5A_5A5A_5A5AUL, 0UL), (machine.Peek(Second + 0xFF8), machine.Peek(First)));
        DmaSegment[] list = [new(0xFFFF_FFFF_FFFF_FFF0, 24), new(0, 8)]; // its second piece is never begun
        written = dma.Write(requester, list, data);
        Assert.Equal((false, 16L, MemoryStatus.BeyondAddressWidth), (written.Succeeded, written.Done, written.Memory));
        Assert.Equal(0UL, machine.Peek(First));
        DmaResult read = dma.Read(requester, list, data);
        Assert.Equal((false, 16L, MemoryStatus.BeyondAddressWidth), (read.Succeeded, read.Done, read.Memory));
        written = dma.Write(requester, 0xFFFF_FFFF_FFFF_FFF0, data.AsSpan(0, 16)); // up to the end and no further
        Assert.Equal((true, 16L), (written.Succeeded, written.Done));
    }
}
