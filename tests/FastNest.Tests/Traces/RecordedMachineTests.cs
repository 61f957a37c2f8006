using System.Runtime.InteropServices;
using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Dma;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Tests.Memory;
using FastNest.Traces;
using Xunit;

namespace FastNest.Tests.Traces;

/// <summary>What is done through the wrappers is recorded, what the IOMMU does itself is not, and a replay comes to the same.</summary>
public sealed class RecordedMachineTests
{
    [Fact]
    public void WhatTheIommuStoresIsNoRecordAndIsThereAfterAReplay()
    {
        using var machine = new TraceMachine();
        using RecordedPort port = machine.Machine.OpenPort();
        machine.SendAndWait();
        Assert.False(port.Translate(TraceMachine.Request(Pages + 1)).Succeeded);
        ulong entry = machine.Peek(TraceMachine.EventRing);
        Assert.NotEqual(0UL, entry);
        machine.Machine.HashMemory();
        byte[] trace = machine.Trace();
        List<TraceRecord> records = TraceBytes.Read(trace, out TraceHeader header);

        Assert.DoesNotContain(records, record => record is MemoryWritten { Address: TraceMachine.Semaphore or TraceMachine.EventRing });
        using var player = new TracePlayer(header);
        Assert.All(records, record => Assert.Null(record.FirstDifference(player.Play(record))));
        Assert.Equal(MemoryStatus.Ok, player.Memory.Load64(TraceMachine.Semaphore, out ulong ticket));
        Assert.Equal(MemoryStatus.Ok, player.Memory.Load64(TraceMachine.EventRing, out ulong replayed));
        Assert.Equal((1UL, entry), (ticket, replayed));
    }

    /// <summary>Memory that was there before the recording, lent memory and memory that changed past the wrapper.</summary>
    [Fact]
    public unsafe void EveryChangeOfMemoryIsInTheTrace()
    {
        using var stream = new MemoryStream();
        using var memory = new GuestPhysicalSpace();
        MemoryRegion gone = memory.AddOwned(0x10_0000, 0x1000);
        memory.AddOwned(0, 0x4000);
        memory.Store64(0x1FF8, 1);
        void* lent = NativeMemory.AllocZeroed(0x2000);
        ((ulong*)lent)[5] = 2;
        var window = new RecordingWindow(0x1000);
        using (var machine = new RecordedMachine(stream, memory))
        {
            machine.Memory.AddBorrowed(0x8000, (nint)lent, 0x2000);
            machine.Memory.AddMmio(0x4000, 0x1000, window);
            machine.Memory.Remove(gone);
            Assert.Equal(MemoryStatus.Ok, machine.Memory.CompareExchange64(0x10, 0, 3, out _));
            Assert.Equal(MemoryStatus.Ok, machine.Memory.CompareExchange64(0x10, 0, 4, out _));
            Assert.Equal(MemoryStatus.Hole, machine.Memory.Store64(0x10_0000, 5));
            memory.Store64(0x2FF8, 6);
            memory.Store64(0x3000, 7);
            Assert.Equal(MemoryStatus.Ok, machine.Memory.Changed(0x2FF8, 16));
            Assert.Equal(MemoryStatus.Mmio, machine.Memory.Changed(0x4000, 8));
            Assert.Equal(MemoryStatus.Hole, machine.Memory.Changed(0x5000, 8));
            Assert.Equal(MemoryStatus.Hole, machine.Memory.Write(0x3FFF, [1, 2, .. new byte[0x1000]], out int done));
            Assert.Equal(0x1001, done); // the page's last byte, then the window
            machine.HashMemory();
        }

        List<TraceRecord> records = TraceBytes.Read(stream.ToArray());
        Assert.Equal(
            ["1FF8 0100000000000000", "8028 0200000000000000", "10 0300000000000000", "2FF8 0600000000000000", "3000 0700000000000000", "3FFF 01"],
            records.OfType<MemoryWritten>().Select(written => $"{written.Address:X} {Convert.ToHexString(written.Bytes.Span)}"));
        Assert.Equal(
            [(0UL, false), (0x10_0000UL, false), (0x8000UL, false), (0x4000UL, true)],
            records.OfType<RegionAdded>().Select(region => (region.Start, region.IsMmio)));
        AssertReplays(stream.ToArray());
        memory.Dispose();
        NativeMemory.Free(lent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void ADevicesAnswerToAnInvalidationIsInTheTrace(bool inTime)
    {
        var features = new IommuFeatures(Mmio.BuiltEfr);
        using var machine = new TraceMachine(new() { Features = features, InvalidateDeviceTlb = _ => inTime });
        machine.Send((3UL << 60 | 1UL << 32, 0x7FFF_FFFF_FFFF_F003), (4UL << 60 | TraceMachine.Device, 0x1000));
        ulong head = machine.Machine.Iommu.Read(Mmio.CommandHead, 8);
        machine.Machine.HashMemory();
        byte[] trace = machine.Trace();

        Assert.Equal(inTime, machine.Peek(TraceMachine.EventRing) == 0); // a timeout is an event
        Assert.NotEqual(0UL, head);
        List<TraceRecord> records = TraceBytes.Read(trace);
        int answer = records.FindIndex(record => record is DeviceAnswered);
        Assert.Equal(inTime, ((DeviceAnswered)records[answer]).InTime);
        Assert.Equal(Mmio.CommandTail, Assert.IsType<RegisterWritten>(records[answer + 1]).At);
        AssertReplays(trace);
    }

    /// <summary>A device that asks while it is told to forget is served, and recorded after the access that caused it.</summary>
    [Fact]
    public void WhatADeviceDoesMeanwhileIsRecordedAfterwards()
    {
        RecordedPort? port = null;
        using var machine = new TraceMachine(new()
        {
            InvalidateDeviceTlb = _ => port!.Translate(TraceMachine.Request(1)).Succeeded,
        });
        port = machine.Machine.OpenPort();
        machine.Send((4UL << 60 | TraceMachine.Device, 0x1000));
        byte[] trace = machine.Trace();
        port.Dispose();

        List<TraceRecord> records = TraceBytes.Read(trace);
        int answer = records.FindIndex(record => record is DeviceAnswered);
        Assert.IsType<RegisterWritten>(records[answer + 1]);
        Assert.IsType<RequestsTranslated>(records[answer + 2]);
        AssertReplays(trace);
    }

    /// <summary>As without a recorder: another thread may use the machine while the callback waits for it.</summary>
    [Fact]
    public void CallbacksAreCalledWithNoLockHeld()
    {
        RecordedMachine? recorded = null;
        List<bool> done = [];
        using var machine = new TraceMachine(new()
        {
            Interrupt = _ => done.Add(Task.Run(() => recorded!.Iommu.Read(Mmio.Status, 8)).Wait(TimeSpan.FromSeconds(20))),
        });
        recorded = machine.Machine;
        machine.Send((1UL << 60 | 2, 0)); // COMPLETION_WAIT with an interrupt

        Assert.Equal([true], done);
        List<TraceRecord> records = TraceBytes.Read(machine.Trace());
        Assert.IsType<RegisterWritten>(records[^2]);
        Assert.IsType<RegisterRead>(records[^1]);
    }

    [Fact]
    public void TransfersAreRequestsAndData()
    {
        using var machine = new TraceMachine();
        using RecordedPort port = machine.Machine.OpenPort();
        var requester = new Requester(new DeviceId(TraceMachine.Device));
        byte[] content = [.. Enumerable.Range(0, 5000).Select(i => (byte)i)];
        List<ulong> messages = [];

        DmaResult written = port.Write(requester, 0x1800, content);
        byte[] back = new byte[5000];
        DmaResult read = port.Read(requester, 0x1800, back);
        DmaResult cut = port.Write(requester, TraceMachine.Iova(Pages - 1) + 0xFF0, new byte[32]);
        DmaResult message = port.Write(requester, 0xFEE0_1000, [1, 2, 0, 0], (_, _, data) => messages.Add(data));
        DmaResult last = port.Read(requester, ulong.MaxValue, new byte[2]);
        machine.Machine.HashMemory();

        Assert.Equal((5000L, 5000L, 16L, 4L), (written.Done, read.Done, cut.Done, message.Done));
        Assert.Equal([0x0201UL], messages);
        Assert.Equal(content, back);
        Assert.False(cut.Translation.Succeeded);
        Assert.False(last.Succeeded);
        byte[] trace = machine.Trace();
        AssertReplays(trace);
        List<TraceRecord> records = TraceBytes.Read(trace);
        Assert.Contains(records, record => record is MemoryWritten { Address: TraceMachine.Data + 0x1800, Bytes.Length: 0x800 });
        Assert.Contains(records, record => record is MemoryWritten { Address: TraceMachine.Data + 0x2000, Bytes.Length: 5000 - 0x800 });
    }

    [Fact]
    public void GuestsAreRecordedThroughTheirWindows()
    {
        using var machine = new TraceMachine(new() { Features = IommuFeatures.BuiltForGuests });
        RecordedViommu viommu = machine.Machine.Viommu!;
        viommu.VfControl.Write(3 * 64 + 0x10, 8, 7UL << 16);
        viommu.OpenGuestMmio(3).Write(0x0008, 8, 0x1000 | 8UL << 56);
        viommu.VfMmio.Write(3 * 4096 + 0x08, 4, 16);
        ulong value = viommu.VfControl.Read(3 * 64 + 0x10, 8);
        viommu.RunGuests();
        bool dirty = viommu.TakeDirty(3);
        machine.Machine.Iommu.RequestPage(new PageRequest(new(TraceMachine.Device), null, 0x1000, Access.Read, 1, true));
        machine.Machine.HashMemory();
        byte[] trace = machine.Trace();

        List<TraceRecord> records = TraceBytes.Read(trace);
        Assert.NotEqual(0UL, value);
        Assert.Contains(records, record => record is RegisterRead { Window: RegisterWindow.VfControl } read && read.Value == value);
        Assert.Contains(records, record => record is RegisterWritten { Window: RegisterWindow.VfMmio });
        Assert.Contains(records, record => record is GuestsRun);
        Assert.Contains(records, record => record is DirtyTaken { Guest: 3 } taken && taken.WasDirty == dirty);
        Assert.Contains(records, record => record is PageRequested { Request.Group: 1 });
        AssertReplays(trace);
    }

    /// <summary>Software and devices at once: the trace has one order, and a replay in that order comes to the same.</summary>
    [Fact]
    public void SeveralThreadsMakeOneTrace()
    {
        using var machine = new TraceMachine();
        RecordedPort[] ports = [machine.Machine.OpenPort(), machine.Machine.OpenPort()];
        Thread[] devices = [.. ports.Select((port, i) => new Thread(() =>
        {
            var random = new Random(i);
            var results = new TranslationResult[16];
            for (int round = 0; round < 400; round++)
            {
                port.Translate([.. Enumerable.Range(0, 16).Select(_ => TraceMachine.Request(random.Next(Pages)))], results);
            }
        }))];
        Array.ForEach(devices, device => device.Start());
        for (int round = 0; round < 200; round++)
        {
            machine.Map(round % Pages, TraceMachine.Data + ((ulong)(round * 7 % 1024) << 12));
            machine.SendAndWait((3UL << 60 | 1UL << 32, TraceMachine.Iova(round % Pages)));
        }

        Assert.All(devices, device => Assert.True(device.Join(TimeSpan.FromSeconds(60))));
        machine.Machine.HashMemory();
        byte[] trace = machine.Trace();
        Assert.Equal(800 * 16, TraceBytes.Read(trace).OfType<RequestsTranslated>().Sum(batch => batch.Requests.Length));
        AssertReplays(trace);
    }

    [Fact]
    public void AHashIsOfWholePages()
    {
        using var machine = new TraceMachine();
        Assert.Throws<ArgumentException>(() => machine.Machine.HashMemory(1, 0x1000));
        Assert.Throws<ArgumentException>(() => machine.Machine.HashMemory(0x1000, 1UL << 52));
        machine.Machine.HashMemory(0x1000, 0x1000);
        machine.Machine.HashMemory(0x2000, 0x1000);
        machine.Store(0x1008, 99);
        machine.Machine.HashMemory(0x1000, 0x1000);
        ulong[] hashes = [.. TraceBytes.Read(machine.Trace()).OfType<MemoryHashed>().Select(hashed => hashed.Hash)];

        Assert.Equal(3, hashes.Distinct().Count());
    }

    private const int Pages = TraceMachine.Pages;

    private static void AssertReplays(byte[] trace) => Assert.Equal(
        TraceBytes.Read(trace).Select(TraceBytes.Text),
        TraceBytes.Play(trace, header => new TracePlayer(header)).Select(TraceBytes.Text));
}
