using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Reading 78: what a translation request marks, and that writing is not granted while Dirty is still to be set.</summary>
public sealed class AtsMarksTests : IDisposable
{
    private const uint Device = 0x18;
    private const uint Pasid = 1;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Guest = 0x71_0000;
    private const ulong Clean = 0x67 & ~Dirty;

    private readonly TestMachine _machine = new(IommuFeatures.Built.ExtendedFeatures);
    private readonly ulong _root;

    public AtsMarksTests()
    {
        _root = _machine.NewTable();
        ulong host = Bits.DteLow(_root, 2) | 3UL << 7;
        _machine.SetDte(Device, host, 5 | 1UL << 32);
        _machine.SetDte(Device + 1, host | Bits.GuestLow(Gcr3), 5 | 1UL << 32 | Bits.GuestMiddle(Gcr3));
        _machine.Poke(Gcr3 + Pasid * 8, Guest | 1);
        for (ulong level = 0; level < 3; level++)
        {
            _machine.Poke(Guest + level * 0x1000, (Guest + (level + 1) * 0x1000) | Clean);
        }

        for (ulong level = 0; level < 4; level++)
        {
            _machine.Map(_root, 2, Guest + level * 0x1000, Guest + level * 0x1000);
        }

        _machine.Start(Mmio.GTEn | 3UL << 46);
    }

    public void Dispose() => _machine.Dispose();

    /// <summary>Rights of the page, what is asked, what is granted, which bits are set then.</summary>
    [Theory]
    [InlineData(Bits.IR | Bits.IW, Access.Read, Access.Read | Access.Execute, Accessed)]
    [InlineData(Bits.IR | Bits.IW, Access.Write, Access.All, Accessed | Dirty)]
    [InlineData(Bits.IR | Bits.IW, Access.ReadWrite, Access.All, Accessed | Dirty)]
    [InlineData(Bits.IR, Access.ReadWrite, Access.Read | Access.Execute, Accessed)]
    [InlineData(Bits.IR, Access.Write, Access.Read | Access.Execute, 0UL)]
    [InlineData(Bits.IW, Access.ReadWrite, Access.Write, Accessed | Dirty)]
    [InlineData(0UL, Access.ReadWrite, Access.None, 0UL)]
    public void OfTheSecondStage(ulong rights, Access asked, Access granted, ulong marks)
    {
        ulong leaf = _machine.Map(_root, 2, 0x5000, 0x80_0000, rights);
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal(granted, Ask(Device, null, 0x5000, asked).Permissions);
            Assert.Equal(Bits.Pte(0x80_0000, rights) | marks, _machine.Peek(leaf));
        }

        Assert.Empty(_machine.DrainEvents());
    }

    /// <summary>The same for a guest's page; <paramref name="hostMarks"/> stand in the second stage's leaf of it.</summary>
    [Theory]
    [InlineData(true, Bits.IR | Bits.IW, Access.Read, Access.Read | Access.Execute, Accessed, Accessed)]
    [InlineData(true, Bits.IR | Bits.IW, Access.Write, Access.All, Accessed | Dirty, Accessed | Dirty)]
    [InlineData(true, Bits.IR, Access.ReadWrite, Access.Read | Access.Execute, Accessed, Accessed)]
    [InlineData(true, Bits.IW, Access.Read, Access.None, 0UL, 0UL)]
    [InlineData(true, Bits.IW, Access.Write, Access.Write, Accessed | Dirty, Accessed | Dirty)]
    [InlineData(false, Bits.IR | Bits.IW, Access.ReadWrite, Access.Read | Access.Execute, Accessed, Accessed)]
    public void OfBothStages(bool writable, ulong rights, Access asked, Access granted, ulong marks, ulong hostMarks)
    {
        ulong leaf = Guest + 0x3000 + 5 * 8;
        _machine.Poke(leaf, 0x9_0005 | (writable ? 2UL : 0));
        ulong host = _machine.Map(_root, 2, 0x9_0000, 0x80_0000, rights);
        for (int round = 0; round < 2; round++)
        {
            TranslationResult result = Ask(Device + 1, Pasid, 0x5000, asked);
            Assert.Equal((granted, granted != Access.None), (result.Permissions, result.Succeeded));
            Assert.Equal(marks, _machine.Peek(leaf) & (Accessed | Dirty));
            Assert.Equal(hostMarks, _machine.Peek(host) & (Accessed | Dirty));
        }

        Assert.Empty(_machine.DrainEvents());
    }

    [Fact]
    public void APageMarkedBeforeIsGrantedWhole()
    {
        _machine.Map(_root, 2, 0x5000, 0x80_0000 | Accessed | Dirty);
        Assert.Equal(Access.All, Ask(Device, null, 0x5000, Access.Read).Permissions);
    }

    [Fact]
    public void AMarkThatMayNotBeWrittenRefusesWithoutAnEvent()
    {
        _machine.Poke(Guest + 0x3000 + 5 * 8, 0x9_0007);
        _machine.Map(_root, 2, 0x9_0000, 0x80_0000);
        _machine.Map(_root, 2, Guest + 0x3000, Guest + 0x3000, Bits.IR);
        TranslationResult result = Ask(Device + 1, Pasid, 0x5000, Access.Read);
        Assert.Equal((FaultReason.PermissionDenied, TranslationStage.Host), (result.Reason, result.Stage));
        Assert.Equal(0x9_0007UL, _machine.Peek(Guest + 0x3000 + 5 * 8));
        Assert.Empty(_machine.DrainEvents());
    }

    /// <summary>Readings 31 and 76: the guest's refusal comes first.</summary>
    [Fact]
    public void APageThatGrantsNothingIsRefusedByTheGuestsStage()
    {
        _machine.Poke(Guest + 0x3000 + 5 * 8, 0x9_0063); // a supervisor's
        _machine.Map(_root, 2, 0x9_0000, 0x80_0000, 0);
        TranslationResult result = Ask(Device + 1, Pasid, 0x5000, Access.Read);
        Assert.Equal((FaultReason.PermissionDenied, TranslationStage.Guest), (result.Reason, result.Stage));
        Assert.Empty(_machine.DrainEvents());
    }

    /// <summary>The tables say what is granted, not what this port has cached of them.</summary>
    [Fact]
    public void APageThatAnotherPasidHasDirtiedIsGrantedWhole()
    {
        _machine.Poke(Gcr3 + (Pasid + 1) * 8, Guest | 1);
        _machine.Poke(Guest + 0x3000 + 5 * 8, 0x9_0007);
        _machine.Map(_root, 2, 0x9_0000, 0x80_0000);
        Assert.True(_machine.Port.Translate(new TranslationRequest(new(Device + 1), Pasid, 0x5000, Access.Read)).Succeeded);
        Assert.True(_machine.Port.Translate(new TranslationRequest(new(Device + 1), Pasid + 1, 0x5000, Access.Write)).Succeeded);
        Assert.Equal(Access.All, Ask(Device + 1, Pasid, 0x5000, Access.Read).Permissions);
    }

    /// <summary>A page that the nested TLB knows as clean, met again through another address, is still to be marked.</summary>
    [Fact]
    public void AWriteThroughASecondAddressMarksThePage()
    {
        _machine.Poke(Guest + 0x3000 + 5 * 8, 0x9_0067);
        _machine.Poke(Guest + 0x3000 + 6 * 8, 0x9_0067);
        ulong host = _machine.Map(_root, 2, 0x9_0000, 0x80_0000);
        foreach ((ulong iova, Access access, ulong marks) in new[]
        {
            (0x5000UL, Access.Read, Accessed), (0x6000UL, Access.Read, Accessed), (0x6000UL, Access.Write, Accessed | Dirty),
        })
        {
            Assert.True(_machine.Port.Translate(new TranslationRequest(new(Device + 1), Pasid, iova, access)).Succeeded);
            Assert.Equal(marks, _machine.Peek(host) & (Accessed | Dirty));
        }
    }

    private TranslationResult Ask(uint device, uint? pasid, ulong iova, Access access) => _machine.Port.Translate(
        (pasid is { } number ? new TranslationRequest(new(device), number, iova, access) : new TranslationRequest(new(device), iova, access))
        with
        { Kind = RequestKind.Translation });
}
