using FastNest.Engine;
using FastNest.Memory;
using Xunit;

namespace FastNest.Tests.Engine;

public sealed class MarkListTests : IDisposable
{
    private readonly GuestPhysicalSpace _memory = new();
    private readonly MarkList _marks = new();

    public MarkListTests() => _memory.AddOwned(0, 0x1000);

    public void Dispose() => _memory.Dispose();

    /// <summary>What the entry was read as, what stands there when it is marked, whether that stands, what is there then.</summary>
    [Theory]
    [InlineData(0x1001UL, 0x1001UL, true, 0x1061UL)]
    [InlineData(0x1001UL, 0x1061UL, true, 0x1061UL)] // another has set the same bits
    [InlineData(0x1001UL, 0x2001UL, false, 0x2001UL)]
    [InlineData(0x1001UL, 0x0000UL, false, 0x0000UL)]
    [InlineData(0x1001UL, 0x1021UL, false, 0x1021UL)] // of both bits only one
    [InlineData(0x1001UL, 0x3061UL, false, 0x3061UL)] // the bits, on another page
    public void AnEntryThatChangedSinceItWasReadIsLeftAlone(ulong read, ulong standing, bool done, ulong after)
    {
        Assert.Equal(MemoryStatus.Ok, _memory.Store64(8, standing));
        _marks.Add(8, 0, read, 0x20);
        _marks.Add(8, 0, read, 0x60);
        Assert.Equal(1, _marks.Count);
        Assert.Equal(done, _marks.TryApply(_memory));
        _memory.Load64(8, out ulong value);
        Assert.Equal(after, value);
    }

    [Fact]
    public void BothBitsOfALeafAreSetWhicheverIsNotedLast()
    {
        Assert.Equal(MemoryStatus.Ok, _memory.Store64(8, 1));
        _marks.Add(8, 0, 1, 0x20);
        _marks.Add(8, 0, 1, 0x40);
        Assert.True(_marks.TryApply(_memory));
        _memory.Load64(8, out ulong value);
        Assert.Equal(0x61UL, value);
    }

    [Fact]
    public void AnEntryThatIsGoneCannotBeMarked()
    {
        _marks.Add(0x1000, 0, 1, 0x20);
        Assert.False(_marks.TryApply(_memory));
    }
}
