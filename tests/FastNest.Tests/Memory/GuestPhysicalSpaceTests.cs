using System.Runtime.InteropServices;
using FastNest.Memory;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Memory;

public sealed unsafe class GuestPhysicalSpaceTests : IDisposable
{
    private const ulong Top = 1UL << 52;
    private readonly GuestPhysicalSpace _space = new();
    private readonly List<nint> _blocks = [];

    public void Dispose()
    {
        _space.Dispose();
        _blocks.ForEach(static block => NativeMemory.AlignedFree((void*)block));
    }

    [Theory]
    [InlineData(0UL, 0x1000UL)]
    [InlineData(0x1000UL, 0x3000UL)]
    [InlineData(0x1F_F000UL, 0x2000UL)]
    [InlineData(0x3FFF_F000UL, 0x2000UL)]
    [InlineData(0x7_FFFF_F000UL, 0x20_2000UL)]
    [InlineData(Top - 0x1000, 0x1000UL)]
    public void OwnedMemoryIsZeroAndKeepsWhatIsStoredUpToItsVeryEnds(ulong start, ulong length)
    {
        MemoryRegion region = _space.AddOwned(start, length);
        Assert.Equal((start, length, MemoryRegionKind.Owned, true, 0), (region.Start, region.Length, region.Kind, region.IsMapped, region.Pins));
        foreach (ulong at in new[] { start, start + length - 8 })
        {
            Assert.Equal(MemoryStatus.Ok, _space.Load64(at, out ulong value));
            Assert.Equal(0UL, value);
            Assert.Equal(MemoryStatus.Ok, _space.Store64(at, at ^ 0x0123_4567_89AB_CDEF));
            Assert.Equal(MemoryStatus.Ok, _space.Load64(at, out value));
            Assert.Equal(at ^ 0x0123_4567_89AB_CDEF, value);
        }

        Assert.Equal(start + length == Top ? MemoryStatus.BeyondAddressWidth : MemoryStatus.Hole, _space.Load64(start + length, out _));
        Assert.Equal(start == 0 ? MemoryStatus.Ok : MemoryStatus.Hole, _space.Load64(start == 0 ? 0 : start - 8, out _));
    }

    [Fact]
    public void BorrowedMemoryIsTheEmbeddersOwn()
    {
        nint host = Block(0x2000);
        _space.AddBorrowed(0x7000, host, 0x2000);
        Assert.Equal(MemoryStatus.Ok, _space.Store64(0x8FF8, 0x1122_3344_5566_7788));
        Assert.Equal(0x88, ((byte*)host)[0x1FF8]); // little-endian
        ((ulong*)host)[1] = 42;
        Assert.Equal(MemoryStatus.Ok, _space.Load64(0x7008, out ulong value));
        Assert.Equal(42UL, value);
    }

    [Fact]
    public void BorrowedMemoryNeedsNoPageAlignmentOnTheHost()
    {
        nint host = Block(0x2000) + 8;
        _space.AddBorrowed(0x40_0000, host, 0x1000);
        Assert.Equal(MemoryStatus.Ok, _space.Store64(0x40_0FF8, 7));
        Assert.Equal(7UL, *(ulong*)(host + 0xFF8));
    }

    [Theory]
    [InlineData(0x1001UL, 0x1000UL, "start 0x1001", "4096")]
    [InlineData(0x1000UL, 0UL, "length 0x0", "not zero")]
    [InlineData(0x1000UL, 0x1800UL, "length 0x1800", "4096")]
    [InlineData(Top, 0x1000UL, "0x10000000000000", "52-bit")]
    [InlineData(Top - 0x1000, 0x2000UL, "0xffffffffff000+0x2000", "52-bit")]
    [InlineData(0x1000UL, 0xFFFF_FFFF_FFFF_F000UL, "0x1000+0xfffffffffffff000", "52-bit")]
    [InlineData(0xFFFF_FFFF_FFFF_F000UL, 0x1000UL, "0xfffffffffffff000", "52-bit")]
    public void ARangeOutOfLimitsIsRefusedWithItsValueAndField(ulong start, ulong length, string value, string limit)
    {
        Action[] ways =
        [
            () => _space.AddOwned(start, length),
            () => _space.AddBorrowed(start, Block(0x1000), length),
            () => _space.AddMmio(start, length, new RecordingWindow(0)),
        ];
        foreach (Action way in ways)
        {
            string message = Assert.Throws<MemoryMapException>(way).Message;
            Assert.Contains(value, message, StringComparison.Ordinal);
            Assert.Contains(limit, message, StringComparison.Ordinal);
        }

        Assert.Empty(_space.Regions);
    }

    [Theory]
    [InlineData(0x1_0000UL, 0x1_0000UL)] // the same
    [InlineData(0x1_F000UL, 0x1000UL)] // its last page
    [InlineData(0x1_0000UL, 0x1000UL)] // its first page
    [InlineData(0x1_4000UL, 0x1000UL)] // within
    [InlineData(0xF000UL, 0x2000UL)] // over its start
    [InlineData(0x1_F000UL, 0x2000UL)] // over its end
    [InlineData(0UL, 0x10_0000UL)] // around it
    public void OverlappingRangesAreRefusedAndNameBoth(ulong start, ulong length)
    {
        _space.AddOwned(0x1_0000, 0x1_0000);
        string message = Assert.Throws<MemoryMapException>(() => _space.AddOwned(start, length)).Message;
        Assert.Contains($"0x{start:x}+0x{length:x}", message, StringComparison.Ordinal);
        Assert.Contains("0x10000+0x10000", message, StringComparison.Ordinal);
        Assert.Single(_space.Regions);
    }

    [Fact]
    public void NeighboursMayTouch()
    {
        _space.AddOwned(0x1_0000, 0x1_0000);
        _space.AddOwned(0xF000, 0x1000);
        _space.AddMmio(0x2_0000, 0x1000, new RecordingWindow(0));
        Assert.Equal([0xF000UL, 0x1_0000, 0x2_0000], _space.Regions.Select(static region => region.Start));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0x1004)]
    public void AHostPointerMustBeUsable(nint host) =>
        Assert.Contains($"0x{host:x}", Assert.Throws<MemoryMapException>(() => _space.AddBorrowed(0, host, 0x1000)).Message, StringComparison.Ordinal);

    [Fact]
    public void MoreMemoryThanThereIsIsRefused() =>
        Assert.Contains("0x8000000000000", Assert.Throws<MemoryMapException>(() => _space.AddOwned(0, Top / 2)).Message, StringComparison.Ordinal);

    [Fact]
    public void NullArgumentsAreRefused()
    {
        Assert.Throws<ArgumentNullException>(() => _space.AddMmio(0, 0x1000, null!));
        Assert.Throws<ArgumentNullException>(() => _space.Remove(null!));
    }

    [Fact]
    public void FiveHundredScatteredRegionsAreAllFound()
    {
        var random = new Random(500);
        var starts = new SortedSet<ulong>();
        while (starts.Count < 500)
        {
            starts.Add((ulong)random.NextInt64(0, 1L << 40) << 12);
        }

        foreach (ulong start in starts.OrderBy(_ => random.Next()))
        {
            MemoryRegion region = _space.AddOwned(start, 0x1000);
            Assert.Equal(MemoryStatus.Ok, _space.Store64(start + 0x10, ~start));
            Assert.Same(region, _space.FindRegion(start + 0xFFF));
        }

        foreach (ulong start in starts)
        {
            Assert.Equal(MemoryStatus.Ok, _space.Load64(start + 0x10, out ulong value));
            Assert.Equal(~start, value);
            Assert.Equal(starts.Contains(start + 0x1000) ? MemoryStatus.Ok : MemoryStatus.Hole, _space.Load64(start + 0x1000, out _));
        }

        Assert.Equal(starts, _space.Regions.Select(static region => region.Start));
    }

    [Fact]
    public void FindRegionKnowsTheEnds()
    {
        MemoryRegion region = _space.AddOwned(0x5000, 0x2000);
        Assert.Null(_space.FindRegion(0x4FFF));
        Assert.Same(region, _space.FindRegion(0x5000));
        Assert.Same(region, _space.FindRegion(0x6FFF));
        Assert.Null(_space.FindRegion(0x7000));
        Assert.Null(_space.FindRegion(ulong.MaxValue));
    }

    [Theory]
    [InlineData(0x1000UL, MemoryStatus.Ok)]
    [InlineData(0x1001UL, MemoryStatus.Misaligned)]
    [InlineData(0x1004UL, MemoryStatus.Misaligned)]
    [InlineData(0x2000UL, MemoryStatus.Mmio)]
    [InlineData(0x2004UL, MemoryStatus.Misaligned)]
    [InlineData(0x3000UL, MemoryStatus.Hole)]
    [InlineData(0x8000_0000_0000UL, MemoryStatus.Hole)]
    [InlineData(Top - 8, MemoryStatus.Hole)]
    [InlineData(Top, MemoryStatus.BeyondAddressWidth)]
    [InlineData(Top | 0x1000, MemoryStatus.BeyondAddressWidth)]
    [InlineData(0xFFFF_FFFF_FFFF_FFF8UL, MemoryStatus.BeyondAddressWidth)]
    public void AtomicAccessesSayHowTheyEnded(ulong address, MemoryStatus expected)
    {
        var window = new RecordingWindow(0x1000);
        _space.AddOwned(0x1000, 0x1000);
        _space.AddMmio(0x2000, 0x1000, window);
        Assert.Equal(expected, _space.Load64(address, out ulong value));
        Assert.Equal(0UL, value);
        Assert.Equal(expected, _space.CompareExchange64(address, 0, 5, out ulong seen));
        Assert.Equal(0UL, seen);
        Assert.Equal(expected, _space.Store64(address, 6));
        Assert.Empty(window.Reads);
        Assert.Empty(window.Writes);
    }

    [Fact]
    public void CompareExchangeExchangesOnlyWhatItExpects()
    {
        _space.AddOwned(0, 0x1000);
        _space.Store64(8, 10);
        Assert.Equal(MemoryStatus.Ok, _space.CompareExchange64(8, 11, 12, out ulong seen));
        Assert.Equal(10UL, seen);
        Assert.Equal(MemoryStatus.Ok, _space.CompareExchange64(8, 10, 12, out seen));
        Assert.Equal(10UL, seen);
        _space.Load64(8, out ulong value);
        Assert.Equal(12UL, value);
    }

    [Fact]
    public void ABlockCrossesRegionsAndWindows()
    {
        var window = new RecordingWindow(0x1000);
        _space.AddOwned(0x1000, 0x1000);
        _space.AddMmio(0x2000, 0x1000, window);
        _space.AddBorrowed(0x3000, Block(0x1000), 0x1000);
        byte[] block = [.. Enumerable.Range(0, 0x1000 + 0x20).Select(static i => (byte)(i * 7 + 1))];
        Assert.Equal(MemoryStatus.Ok, _space.Write(0x1FF0, block, out int done));
        Assert.Equal(block.Length, done);
        Assert.Equal(block[0x10..0x1010], window.Bytes);
        byte[] back = new byte[block.Length];
        Assert.Equal(MemoryStatus.Ok, _space.Read(0x1FF0, back, out done));
        Assert.Equal(block.Length, done);
        Assert.Equal(block, back);
    }

    [Theory]
    [InlineData(0x1FF3UL, 13)] // a hole
    [InlineData(0x2000UL, 0)] // at once
    [InlineData(Top - 5, 5)] // the end of the address space
    [InlineData(Top, 0)]
    [InlineData(0xFFFF_FFFF_FFFF_FFF0UL, 0)] // must not wrap to 0
    public void ABlockStopsAtAHoleAndSaysHowMuchWasDone(ulong address, int expected)
    {
        _space.AddOwned(0, 0x2000);
        _space.AddOwned(Top - 0x1000, 0x1000);
        var status = (address + (ulong)expected) >> 52 != 0 ? MemoryStatus.BeyondAddressWidth : MemoryStatus.Hole;
        Assert.Equal(status, _space.Write(address, [.. Enumerable.Repeat((byte)9, 32)], out int done));
        Assert.Equal(expected, done);
        byte[] back = new byte[32];
        Assert.Equal(status, _space.Read(address, back, out done));
        Assert.Equal(expected, done);
        Assert.Equal([.. Enumerable.Repeat((byte)9, expected), .. new byte[32 - expected]], back);
    }

    [Theory]
    [InlineData(0, 8, new[] { 8 })]
    [InlineData(1, 7, new[] { 1, 2, 4 })]
    [InlineData(2, 9, new[] { 2, 4, 2, 1 })]
    [InlineData(4, 4, new[] { 4 })]
    [InlineData(3, 1, new[] { 1 })]
    [InlineData(7, 10, new[] { 1, 8, 1 })]
    [InlineData(0, 17, new[] { 8, 8, 1 })]
    public void AWindowSeesNaturallyAlignedWidths(int offset, int length, int[] widths)
    {
        var window = new RecordingWindow(0x1000);
        _space.AddMmio(0x1_0000, 0x1000, window);
        byte[] bytes = [.. Enumerable.Range(1, length).Select(static i => (byte)(0xF0 | i))];
        Assert.Equal(MemoryStatus.Ok, _space.Write(0x1_0000 + (ulong)offset, bytes, out _));
        Assert.Equal(widths, window.Writes.Select(static write => write.Size));
        Assert.All(window.Writes, static write => Assert.Equal(0UL, write.Offset % (ulong)write.Size));
        Assert.All(window.Writes, static write => Assert.Equal(0UL, write.Size == 8 ? 0 : write.Value >> (8 * write.Size)));
        byte[] back = new byte[length];
        Assert.Equal(MemoryStatus.Ok, _space.Read(0x1_0000 + (ulong)offset, back, out _));
        Assert.Equal(widths, window.Reads.Select(static read => read.Size));
        Assert.Equal(bytes, back);
    }

    [Fact]
    public void AnEmptyBlockIsDoneAnywhere()
    {
        Assert.Equal(MemoryStatus.Ok, _space.Read(Top, [], out int done));
        Assert.Equal(0, done);
        Assert.Equal(MemoryStatus.Ok, _space.Write(0x1234, [], out done));
        Assert.Equal(0, done);
    }

    [Fact]
    public void ARemovedRegionIsAHoleAndItsPlaceMayBeTakenAgain()
    {
        var first = new RecordingWindow(0x1000);
        MemoryRegion ram = _space.AddOwned(0x1000, 0x1000);
        MemoryRegion mmio = _space.AddMmio(0x2000, 0x1000, first);
        _space.Store64(0x1000, 1);
        _space.Remove(ram);
        _space.Remove(mmio);
        Assert.False(ram.IsMapped);
        Assert.Empty(_space.Regions);
        Assert.Equal(MemoryStatus.Hole, _space.Load64(0x1000, out _));
        Assert.Equal(MemoryStatus.Hole, _space.Read(0x2000, new byte[1], out _));

        var second = new RecordingWindow(0x1000);
        _space.AddMmio(0x1000, 0x1000, second);
        _space.AddOwned(0x2000, 0x1000);
        _space.Write(0x1000, [3], out _);
        Assert.Single(second.Writes);
        Assert.Empty(first.Writes);
        Assert.Equal(MemoryStatus.Ok, _space.Load64(0x2000, out ulong value));
        Assert.Equal(0UL, value);
    }

    [Fact]
    public void ManyWindowsKeepApart()
    {
        RecordingWindow[] windows = [.. Enumerable.Range(0, 20).Select(static _ => new RecordingWindow(0x1000))];
        MemoryRegion[] regions = [.. windows.Select((window, i) => _space.AddMmio((ulong)i << 32, 0x1000, window))];
        _space.Remove(regions[7]);
        windows[7] = new RecordingWindow(0x1000);
        _space.AddMmio(7UL << 32, 0x1000, windows[7]);
        for (int i = 0; i < windows.Length; i++)
        {
            Assert.Equal(MemoryStatus.Ok, _space.Write((ulong)i << 32 | 4, [(byte)i], out _));
        }

        Assert.Equal(Enumerable.Range(0, 20).Select(static i => (4UL, 1, (ulong)i)), windows.SelectMany(static window => window.Writes));
    }

    [Fact]
    public void ARegionOfAnotherSpaceOrRemovedTwiceIsRefused()
    {
        using var other = new GuestPhysicalSpace();
        MemoryRegion foreign = other.AddOwned(0x1000, 0x1000);
        MemoryRegion mine = _space.AddOwned(0x1000, 0x1000);
        Assert.Contains("0x1000", Assert.Throws<MemoryMapException>(() => _space.Remove(foreign)).Message, StringComparison.Ordinal);
        _space.Remove(mine);
        Assert.Throws<MemoryMapException>(() => _space.Remove(mine));
        Assert.True(foreign.IsMapped);
    }

    [Fact]
    public void BorrowedMemoryIsReleasedOnceAfterRemoval()
    {
        int released = 0;
        MemoryRegion region = _space.AddBorrowed(0, Block(0x1000), 0x1000, () => released++);
        Assert.Equal(0, released);
        _space.Remove(region);
        Assert.Equal(1, released);
        Assert.False(region.TryPin(out MemoryPin? pin));
        Assert.Null(pin);
        _space.Dispose();
        Assert.Equal(1, released);
    }

    [Fact]
    public void PinsHoldRemovedMemoryUntilTheLastIsGone()
    {
        int released = 0;
        MemoryRegion region = _space.AddBorrowed(0, Block(0x1000), 0x1000, () => released++);
        Assert.True(region.TryPin(out MemoryPin? first));
        Assert.True(region.TryPin(out MemoryPin? second));
        Assert.Equal(2, region.Pins);
        first!.Dispose();
        first.Dispose(); // harmless
        Assert.Equal(1, region.Pins);
        _space.Remove(region);
        Assert.Equal(1, region.Pins);
        Assert.Equal(0, released);
        Assert.True(region.TryPin(out MemoryPin? third));
        second!.Dispose();
        Assert.Equal(0, released);
        third!.Dispose();
        Assert.Equal(1, released);
        Assert.Equal(0, region.Pins);
        Assert.False(region.TryPin(out _));
    }

    [Fact]
    public void PinsOfAMappedRegionReleaseNothing()
    {
        int released = 0;
        MemoryRegion region = _space.AddBorrowed(0, Block(0x1000), 0x1000, () => released++);
        region.TryPin(out MemoryPin? pin);
        pin!.Dispose();
        Assert.Equal(0, released);
        Assert.Equal(MemoryStatus.Ok, _space.Load64(0, out _));
    }

    [Fact]
    public void DisposeReleasesEveryRegionOnceAndPinsOutliveIt()
    {
        int released = 0;
        int pinnedReleased = 0;
        _space.AddBorrowed(0, Block(0x1000), 0x1000, () => released++);
        MemoryRegion pinned = _space.AddBorrowed(0x1000, Block(0x1000), 0x1000, () => pinnedReleased++);
        pinned.TryPin(out MemoryPin? pin);
        _space.Dispose();
        _space.Dispose();
        Assert.Equal((1, 0), (released, pinnedReleased));
        Assert.False(pinned.IsMapped);
        pin!.Dispose();
        Assert.Equal((1, 1), (released, pinnedReleased));
        Assert.Empty(_space.Regions);
        Assert.Throws<ObjectDisposedException>(() => _space.AddOwned(0, 0x1000));
    }

    [Fact]
    public void RemoveWaitsForAReaderInsideASection()
    {
        int released = 0;
        MemoryRegion region = _space.AddBorrowed(0, Block(0x1000), 0x1000, () => Interlocked.Increment(ref released));
        ReadSection section = _space.Sections.Register();
        _space.Sections.Enter(section);
        Assert.True(_space.TryLoad64(0, out _));
        using var remover = new Worker(() => _space.Remove(region));
        remover.Start();
        Assert.True(SpinWait.SpinUntil(() => !_space.TryLoad64(0, out _), 10_000), "the address becomes a hole at once");
        Assert.False(remover.Join(50), "Remove returned while a reader was inside");
        Assert.Equal(0, Volatile.Read(ref released));
        section.Leave();
        Assert.True(remover.Join(10_000));
        Assert.Equal(1, Volatile.Read(ref released));
    }

    private nint Block(int length)
    {
        var block = (nint)NativeMemory.AlignedAlloc((nuint)length, 4096);
        new Span<byte>((void*)block, length).Clear();
        _blocks.Add(block);
        return block;
    }
}
