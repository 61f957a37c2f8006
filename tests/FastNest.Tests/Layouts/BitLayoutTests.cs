using FastNest.Layouts;
using Xunit;

namespace FastNest.Tests.Layouts;

public sealed class BitLayoutTests
{
    [Theory]
    [InlineData(64, 63)]
    [InlineData(128, 0)]
    [InlineData(3, 4)]
    public void AFieldLiesInOneWordAndTheRightWayRound(int high, int low) =>
        Assert.Contains($"{high}:{low}", Assert.Throws<ArgumentException>(() => BitField.Bits(high, low, "F")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(0, 0, 0, 1UL)]
    [InlineData(63, 0, 0, ulong.MaxValue)]
    [InlineData(63, 63, 0, 1UL << 63)]
    [InlineData(64, 64, 1, 1UL)]
    [InlineData(127, 76, 1, 0xFFFF_FFFF_FFFF_F000UL)]
    [InlineData(51, 12, 0, 0x000F_FFFF_FFFF_F000UL)]
    public void AFieldsMaskStandsInItsWord(int high, int low, int word, ulong mask)
    {
        BitField field = BitField.Bits(high, low, "F");
        Assert.Equal((word, mask, low % 64, high - low + 1), (field.Word, field.Mask, field.Low, field.Width));
    }

    [Fact]
    public void AFieldIsReadAndReplacedWithoutItsNeighbours()
    {
        BitField field = BitField.Bits(11, 8, "F");
        Assert.Equal(0xCUL, field.Get(0xABCDE & ~0xD00UL | 0xC00));
        Assert.Equal(0xC00UL, field.InPlace(0xFFFF_FFFF_FFFF_FCFF));
        Assert.Equal(0xFFFF_FFFF_FFFF_F5FFUL, field.With(ulong.MaxValue, 5));
        Assert.Equal(0x500UL, field.Of(0xF5)); // what does not fit is dropped
        Assert.True(field.IsSet(0x100));
        Assert.False(field.IsSet(~0xF00UL));
    }

    [Fact]
    public void OverlapsAreRefusedByName()
    {
        string message = Assert.Throws<ArgumentException>(
            () => new BitLayout("thing", 1, BitField.Bits(7, 4, "First"), BitField.Bit(7, "Second"))).Message;
        Assert.Contains("thing", message, StringComparison.Ordinal);
        Assert.Contains("Second", message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatNoFieldCoversIsReserved()
    {
        var layout = new BitLayout("thing", 2, BitField.Bits(7, 4, "A"), BitField.Bit(127, "B"));
        Assert.Equal((2, 0xF0UL, ~0xF0UL), (layout.Words, layout.Defined(0), layout.Reserved(0)));
        Assert.Equal(~(1UL << 63), layout.Reserved(1));
    }
}
