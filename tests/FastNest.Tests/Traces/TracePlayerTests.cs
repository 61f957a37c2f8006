using FastNest.Engine;
using FastNest.Requests;
using FastNest.Traces;
using Xunit;

namespace FastNest.Tests.Traces;

/// <summary>A trace that can be read may still ask for what no machine does: that is the trace's error, with its place.</summary>
public sealed class TracePlayerTests
{
    private static readonly RegionAdded Ram = new(0, 0x10_0000, false);
    private static readonly CacheOptions Large = new() { IotlbSets = 1 << 20, IotlbWays = 16 };

    public static TheoryData<string, string, TraceRecord[]> Impossible => new()
    {
        { "region", "overlaps", [Ram, new RegionAdded(0xF_F000, 0x1000, false)] },
        { "region", "overlaps", [Ram, Ram] },
        { "region.length", "0x400000000 bytes", [Ram, new RegionAdded(1UL << 40, 16UL << 30, false)] },
        { "region.start", "no region", [Ram, new RegionRemoved(0x1000)] },
        { "memory.address", "0x100000", [Ram, new MemoryWritten(0xF_FFFC, new byte[8])] },
        { "port", "not open", [new PortClosed(1)] },
        { "port", "not open", [new RequestsTranslated(1, false, new TranslationRequest[1], new[] { TranslationResult.Message(0) })] },
        { "port", "open already", [new PortOpened(1, new(), WalkStrategy.Scalar), new PortOpened(1, new(), WalkStrategy.Scalar)] },
        { "port", "16777216 entries", [new PortOpened(1, Large, WalkStrategy.Scalar)] },
        { "port", "at most 64", [.. Enumerable.Range(0, 65).Select(i => new PortOpened(i, CacheOptions.None, WalkStrategy.Scalar))] },
        { "region", "at most 4096", [.. Enumerable.Range(0, 4097).Select(i => new RegionAdded((ulong)i << 13, 0x1000, false))] },
        { "record", "serves guests", [new GuestsRun()] },
        { "record", "serves guests", [new DirtyTaken(1, true)] },
        { "record", "serves guests", [new RegisterWritten(RegisterWindow.VfMmio, 0, 8, 1)] },
        { "register.offset", "0x3ff8", [new RegisterRestored(0x3FF8, 0)] },
    };

    [Theory]
    [MemberData(nameof(Impossible))]
    public void WhatNoMachineDoesIsTheTracesError(string field, string problem, TraceRecord[] records)
    {
        List<TraceRecord> read = TraceBytes.Read(TraceBytes.Of(records));
        using var player = new TracePlayer(TraceBytes.Header);
        foreach (TraceRecord record in read.Take(read.Count - 1))
        {
            player.Play(record);
        }

        var exception = Assert.Throws<TraceException>(() => player.Play(read[^1]));

        Assert.Equal((field, read[^1].Offset), (exception.Field, exception.Offset));
        Assert.Contains(problem, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheLimitOfMemoryIsTheCallers()
    {
        using var player = new TracePlayer(TraceBytes.Header, memoryLimit: 0x2000);
        player.Play(new RegionAdded(0, 0x2000, false));
        player.Play(new RegionAdded(1 << 20, 1 << 30, true)); // a window is no memory
        Assert.Throws<TraceException>(() => player.Play(new RegionAdded(0x2000, 0x1000, false)));
        player.Play(new RegionRemoved(0));
        player.Play(new RegionAdded(0x2000, 0x2000, false));
    }

    /// <summary>Answers of devices are for the next record that causes something, and none is kept beyond it.</summary>
    [Fact]
    public void AnswersThatNobodyAsksForAreDropped()
    {
        using var machine = new TraceMachine();
        machine.Send((4UL << 60 | TraceMachine.Device, 0x1000));
        List<TraceRecord> records = TraceBytes.Read(machine.Trace(), out TraceHeader header);
        using var player = new TracePlayer(header);
        records.InsertRange(records.Count - 1, [new DeviceAnswered(false), new RegisterWritten(RegisterWindow.Iommu, 0x2010, 4, 0)]);

        Assert.All(records, record => player.Play(record));

        player.Memory.Load64(TraceMachine.EventRing, out ulong entry);
        Assert.Equal(0UL, entry);
    }
}
