using FastNest.Formats;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Formats;

public sealed class AmdV1Tests
{
    private const ulong AddressBits = 0x000F_FFFF_FFFF_F000;
    private static readonly int[] Levels = [1, 2, 3, 4, 5, 6];

    [Fact]
    public void AnEntryThatIsNotPresentFaultsWhateverElseIsSet()
    {
        foreach (int level in Levels)
        {
            foreach (ulong entry in new[] { 0UL, ~1UL, 0xE00UL, 1UL << 52 })
            {
                DecodedEntry decoded = AmdV1.Decode(entry, level);
                Assert.Equal((EntryKind.Fault, FaultReason.NotPresent), (decoded.Kind, decoded.Reason));
            }
        }
    }

    [Fact]
    public void EachReservedBitOfADirectoryFaults()
    {
        for (int bit = 0; bit < 64; bit++)
        {
            bool reserved = bit is >= 52 and <= 60; // 58:52, 59 and 60
            DecodedEntry decoded = AmdV1.Decode(Bits.Pde(0x1000, 1) | (bit is >= 9 and < 12 ? 0 : 1UL << bit), 4);
            Assert.Equal(reserved ? FaultReason.ReservedBit : FaultReason.None, decoded.Reason);
            Assert.Equal(reserved ? EntryKind.Fault : EntryKind.Table, decoded.Kind);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void EachReservedBitOfALeafFaults(int next)
    {
        for (int bit = 0; bit < 64; bit++)
        {
            bool reserved = bit is >= 52 and <= 58; // 59 is U, 60 is FC
            ulong entry = Bits.Pte(0x10_0000) | (ulong)next << 9 | (bit is >= 9 and < 12 ? 0 : 1UL << bit);
            DecodedEntry decoded = AmdV1.Decode(entry, 1);
            Assert.Equal(reserved ? FaultReason.ReservedBit : FaultReason.None, decoded.Reason);
            Assert.Equal(reserved ? EntryKind.Fault : EntryKind.Leaf, decoded.Kind);
        }
    }

    [Fact]
    public void ADirectoryPointsOnlyBelowItsLevel()
    {
        foreach (int level in Levels)
        {
            foreach (int next in Levels)
            {
                DecodedEntry decoded = AmdV1.Decode(Bits.Pde(0x0008_7654_3210_F000, next), level);
                if (next < level)
                {
                    Assert.Equal((EntryKind.Table, next, 0x0008_7654_3210_F000UL), (decoded.Kind, decoded.Next, decoded.Address));
                }
                else
                {
                    Assert.Equal((EntryKind.Fault, FaultReason.InvalidLevel), (decoded.Kind, decoded.Reason));
                }
            }
        }
    }

    [Theory]
    [InlineData(1, 12)]
    [InlineData(2, 21)]
    [InlineData(3, 30)]
    [InlineData(4, 39)]
    [InlineData(5, 48)]
    public void ALeafWithNextLevelZeroHasItsLevelsSizeAndIgnoresLowerAddressBits(int level, int shift)
    {
        DecodedEntry decoded = AmdV1.Decode(Bits.Pte(AddressBits), level);
        Assert.Equal((EntryKind.Leaf, shift, AddressBits & ~((1UL << shift) - 1)), (decoded.Kind, decoded.Next, decoded.Address));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public void NoLeafStandsAtLevelSix(int next)
    {
        DecodedEntry decoded = AmdV1.Decode(Bits.Pte(0) | (ulong)next << 9, 6);
        Assert.Equal((EntryKind.Fault, FaultReason.InvalidLevel), (decoded.Kind, decoded.Reason));
    }

    /// <summary>Reading 5: 8K–1M, 4M–512M, 2G–256G, 1T–128T, 512T–4P.</summary>
    [Theory]
    [InlineData(1, 13, 20)]
    [InlineData(2, 22, 29)]
    [InlineData(3, 31, 38)]
    [InlineData(4, 40, 47)]
    [InlineData(5, 49, 52)]
    public void EverySizeInTheAddressIsLegalOnlyBetweenTheDefaultSizes(int level, int smallest, int largest)
    {
        for (int shift = 13; shift <= 52; shift++)
        {
            ulong entry = Bits.SizedPte(AddressBits, shift);
            DecodedEntry decoded = AmdV1.Decode(entry, level);
            if (shift >= smallest && shift <= largest)
            {
                Assert.Equal((EntryKind.Leaf, shift, AddressBits & ~((1UL << shift) - 1)), (decoded.Kind, decoded.Next, decoded.Address));
            }
            else
            {
                Assert.Equal((EntryKind.Fault, FaultReason.InvalidPageSize), (decoded.Kind, decoded.Reason));
            }
        }
    }

    [Fact]
    public void AnAddressFieldOfAllOnesIsNoSize()
    {
        foreach (int level in Levels[..5])
        {
            Assert.Equal(FaultReason.InvalidPageSize, AmdV1.Decode(Bits.PR | 7 << 9 | AddressBits, level).Reason);
        }
    }

    [Fact]
    public void ReservedBitsWinOverTheLevelAndTheSize()
    {
        Assert.Equal(FaultReason.ReservedBit, AmdV1.Decode(Bits.Pde(0x1000, 5) | 1UL << 59, 2).Reason);
        Assert.Equal(FaultReason.ReservedBit, AmdV1.Decode(Bits.Pte(0) | 1UL << 52, 6).Reason);
        Assert.Equal(FaultReason.ReservedBit, AmdV1.Decode(Bits.SizedPte(0, 30) | 1UL << 58, 1).Reason);
    }

    [Theory]
    [InlineData(0UL, Access.None)]
    [InlineData(Bits.IR, Access.Read | Access.Execute)]
    [InlineData(Bits.IW, Access.Write)]
    [InlineData(Bits.IR | Bits.IW, Access.All)]
    public void PermissionsComeFromIRAndIW(ulong rights, Access expected)
    {
        Assert.Equal(expected, AmdV1.Decode(Bits.Pte(0x1000, rights), 1).Permissions & Access.All);
        Assert.Equal(expected, AmdV1.Decode(Bits.Pde(0x1000, 1, rights), 2).Permissions & Access.All);
    }

    [Theory]
    [InlineData(1, 12, 21)]
    [InlineData(2, 21, 30)]
    [InlineData(3, 30, 39)]
    [InlineData(4, 39, 48)]
    [InlineData(5, 48, 57)]
    [InlineData(6, 57, 64)]
    public void ALevelsIndexAndReach(int level, int shift, int reach)
    {
        Assert.Equal(shift, AmdV1.IndexShift(level));
        Assert.True(AmdV1.Covers(ulong.MaxValue >> (64 - reach), level));
        Assert.Equal(reach == 64, AmdV1.Covers(reach == 64 ? ulong.MaxValue : 1UL << reach, level));
        Assert.Equal(reach == 64, AmdV1.Covers(1UL << 63, level));
    }
}
