using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Where a PASID's entry is looked for and what refuses it (digest section 4, readings 7, 9, 22 and 25).</summary>
public sealed class Gcr3Tests : IDisposable
{
    private const uint Device = 0x18;
    private const uint Pasid = 3;
    private const ulong TrpMode = 1UL << 58;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Moved = 0x72_0000;
    private const ulong Guest = 0x71_0000;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures, IommuFeatures.Built.ExtendedFeatures2);
    private readonly ulong _root;

    public Gcr3Tests()
    {
        _root = _machine.NewTable();
        for (ulong level = 0; level < 4; level++)
        {
            _machine.Map(_root, 2, Guest + level * 0x1000, Guest + level * 0x1000);
            _machine.Poke(Guest + level * 0x1000, (Guest + (level + 1) * 0x1000) | 0x67);
        }

        _machine.Poke(Guest + 0x3000 + 5 * 8, 0x9_0067);
        _machine.Map(_root, 2, 0x9_0000, 0x80_0000);
        _machine.SetDte(Device, Bits.DteLow(_root, 2) | 1UL << 55 | (Gcr3 >> 12 & 7) << 58, 5 | (Gcr3 >> 15 & 0xFFFF) << 16);
    }

    public void Dispose() => _machine.Dispose();

    /// <summary>GCR3TRPMode: the root is a guest physical address, or a system physical one.</summary>
    [Theory]
    [InlineData(TrpMode, Moved)]
    [InlineData(0UL, Gcr3)]
    public void TheTableStandsWhereTheModeSays(ulong mode, ulong place)
    {
        _machine.Map(_root, 2, Gcr3, Moved);
        _machine.Start(Mmio.GTEn | mode);
        _machine.Poke((place ^ Gcr3 ^ Moved) + Pasid * 8, 0);
        _machine.Poke(place + Pasid * 8, Guest | 1);
        Assert.Equal((FaultReason.None, 0x80_0000UL), Reach());
    }

    /// <summary>Reading 9: the host's read right counts, as for guest tables.</summary>
    [Fact]
    public void ATableAtAGuestAddressIsReadThroughTheSecondStagesRights()
    {
        _machine.Map(_root, 2, Gcr3, Moved, Bits.IW);
        _machine.Poke(Moved + Pasid * 8, Guest | 1);
        _machine.Start(Mmio.GTEn | TrpMode);
        TranslationResult result = Ask();
        Assert.Equal((FaultReason.PermissionDenied, TranslationStage.Host, Access.Read), (result.Reason, result.Stage, result.Attempted));
        Assert.Equal(Gcr3 + Pasid * 8, result.Address);
    }

    [Fact]
    public void AnEntryWithoutMemoryIsNamedByItsSystemAddress()
    {
        _machine.Map(_root, 2, Gcr3, TestMachine.Hole);
        _machine.Start(Mmio.GTEn | TrpMode);
        Assert.Equal((FaultReason.TableUnreadable, TestMachine.Hole + Pasid * 8), Reach());
    }

    [Theory]
    [InlineData(0x802UL, FaultReason.PasidNotPresent)] // V=0 comes before reserved bits
    [InlineData(Guest | 0x801, FaultReason.ReservedBit)]
    public void WhatIsNotValidIsNotJudged(ulong entry, FaultReason reason)
    {
        _machine.Poke(Gcr3 + Pasid * 8, entry);
        _machine.Start(Mmio.GTEn);
        Assert.Equal((reason, 0x5000UL), Reach());
    }

    /// <summary>Reading 22: three is reserved, even if GLXSup says three.</summary>
    [Fact]
    public void FourLevelsAreNeverLegal()
    {
        using TestMachine machine = new TestMachine(IommuFeatures.Built.ExtendedFeatures | 3UL << 14).Start(Mmio.GTEn);
        machine.SetDte(Device, Bits.DteLow(0, 0) | 1UL << 55 | 3UL << 56);
        Assert.Equal(FaultReason.ContextEncoding, machine.Translate(Device, 0).Reason);
    }

    private (FaultReason Reason, ulong Address) Reach()
    {
        TranslationResult result = Ask();
        return (result.Reason, result.Address);
    }

    private TranslationResult Ask() => _machine.Port.Translate(new TranslationRequest(new(Device), Pasid, 0x5000, Access.Read));
}
