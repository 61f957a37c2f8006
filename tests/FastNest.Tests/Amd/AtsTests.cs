using FastNest.Amd;
using FastNest.Engine;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Readings 70 to 79.</summary>
public sealed class AtsTests : IDisposable
{
    private const uint Device = 0x18;
    private const ulong Enabled = 1UL << 32;
    private const ulong TR = 1UL << 56;

    private readonly TestMachine _machine = new();
    private readonly ulong _root;

    public AtsTests()
    {
        _root = _machine.NewTable();
        _machine.SetDte(Device, Bits.DteLow(_root, 3), 5 | Enabled);
        _machine.Map(_root, 3, 0x5000, 0x80_0000, Bits.IR);
        _machine.Map(_root, 3, 0x6000, 0x81_0000);
        _machine.Map(_root, 3, 0x7000, 0x82_0000, 0);
        _machine.Start();
    }

    public void Dispose() => _machine.Dispose();

    [Theory]
    [InlineData(0x5008, Access.ReadWrite, Access.Read | Access.Execute)]
    [InlineData(0x6008, Access.Read, Access.All)]
    public void ATranslationRequestIsGrantedWhatIsPermitted(ulong iova, Access asked, Access granted)
    {
        TranslationResult result = Ask(iova, asked);
        Assert.Equal((true, granted), (result.Succeeded, result.Permissions));
        Assert.Equal(iova & 0xFFF, result.Address & 0xFFF);
        Assert.Empty(_machine.DrainEvents());
    }

    [Theory]
    [InlineData(0x7000, FaultReason.PermissionDenied)]
    [InlineData(0x8000, FaultReason.NotPresent)]
    [InlineData(0xFEE0_0000, FaultReason.MessageWindowRead)]
    [InlineData(1UL << 50, FaultReason.AddressBeyondTable)]
    public void APageFaultIsToldToTheDeviceAlone(ulong iova, FaultReason reason)
    {
        Assert.Equal(reason, Ask(iova, Access.Read).Reason);
        Assert.Empty(_machine.DrainEvents());
    }

    [Fact]
    public void AnUnreadableTableIsAnEventWithTR()
    {
        _machine.SetEntry(_root, 3, 1UL << 30, 3, Bits.Pde(TestMachine.Hole, 2));
        Assert.Equal(FaultReason.TableUnreadable, Ask(1UL << 30, Access.Read).Reason);
        (ulong low, ulong high) = _machine.OnlyEvent();
        Assert.Equal((4UL, TR, TestMachine.Hole), (low >> 60, low & TR, high));
    }

    [Theory]
    [InlineData(RequestKind.Translation, 5UL, TR)]
    [InlineData(RequestKind.Translated, 1UL, 0UL)]
    public void WithoutIItIsAnInvalidRequest(RequestKind kind, ulong type, ulong transaction)
    {
        _machine.SetDte(Device + 1, Bits.DteLow(_root, 3), 5);
        TranslationResult result = _machine.Port.Translate(new TranslationRequest(new(Device + 1), 0x6000, Access.Read) { Kind = kind });
        Assert.Equal(FaultReason.AtsForbidden, result.Reason);
        (ulong low, ulong high) = _machine.OnlyEvent();
        Assert.Equal((8UL, type, transaction, 0x6000UL), (low >> 60, low >> 57 & 7, low & TR, high));
    }

    [Fact]
    public void AnInvalidRequestNamesThePasid()
    {
        _machine.SetDte(Device + 1, Bits.DteLow(_root, 3), 5);
        _machine.Port.Translate(new TranslationRequest(new(Device + 1), 0xA_BCDE, 0x6000, Access.Read) { Kind = RequestKind.Translated });
        (ulong low, _) = _machine.OnlyEvent();
        Assert.Equal(8UL << 60 | 1UL << 57 | 3UL << 48 | 0xBCDEUL << 32 | 0xAUL << 16 | (Device + 1), low);
    }

    [Fact]
    public void ATranslatedRequestPassesWhateverTheTablesSay()
    {
        foreach (ulong address in new ulong[] { 0x7000, 0x8000, 0xFEE0_0000, 1UL << 51 })
        {
            TranslationResult result = _machine.Port.Translate(
                new TranslationRequest(new(Device), address, Access.Write) { Kind = RequestKind.Translated });
            Assert.Equal((true, address, false), (result.Succeeded, result.Address, result.IsMessage));
        }
    }

    [Theory]
    [InlineData(RequestKind.Translation, TR)]
    [InlineData(RequestKind.Translated, 0UL)]
    public void AnIllegalEntryIsReported(RequestKind kind, ulong transaction)
    {
        _machine.SetDte(Device + 2, Bits.DteLow(_root, 7), Enabled);
        _machine.Port.Translate(new TranslationRequest(new(Device + 2), 0x6000, Access.Read) { Kind = kind });
        (ulong low, _) = _machine.OnlyEvent();
        Assert.Equal((1UL, transaction), (low >> 60, low & TR));
    }

    [Fact]
    public void InvalidationsReachTheDeviceAndItsSilenceIsReported()
    {
        var seen = new List<DeviceTlbInvalidation>();
        var iommu = new AmdIommu(_machine.Memory, new()
        {
            InvalidateDeviceTlb = invalidation =>
            {
                seen.Add(invalidation);
                return invalidation.Pasid is null;
            },
        });
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        iommu.Write(Mmio.EventBase, 8, TestMachine.EventRing | 9UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn | Mmio.EventLogEn);
        _machine.Poke(TestMachine.CommandRing, 4UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 0x0000_0000_1234_5001);
        // PASID ABCDEh stands in 59:56, 23:16 and 55:48.
        _machine.Poke(TestMachine.CommandRing + 16, 4UL << 60 | 0xAUL << 56 | 0xDEUL << 48 | 0xBCUL << 16 | Device);
        _machine.Poke(TestMachine.CommandRing + 24, 0x7FFF_FFFF_FFFF_F005);
        iommu.Write(Mmio.CommandTail, 4, 0x20);
        Assert.Equal([new(new(Device), null, 0x1234_4000, 14), new(new(Device), 0xABCDE, 0, 64)], seen);
        Assert.Equal(7UL << 60 | Device, _machine.Peek(TestMachine.EventRing));
        Assert.Equal(TestMachine.CommandRing + 16, _machine.Peek(TestMachine.EventRing + 8));
        Assert.Equal(16UL, iommu.Read(Mmio.EventTail, 8));
    }

    /// <summary>Translations take no lock that a command holds while it is executed.</summary>
    [Fact]
    public async Task TranslationsGoOnWhileADeviceTakesItsTimeToInvalidate()
    {
        using var asked = new ManualResetEventSlim();
        using var answered = new ManualResetEventSlim();
        bool inTime = false;
        var iommu = new AmdIommu(_machine.Memory, new()
        {
            InvalidateDeviceTlb = _ =>
            {
                asked.Set();
                return inTime = answered.Wait(TimeSpan.FromSeconds(30));
            },
        });
        iommu.Write(Mmio.DeviceTableBase, 8, _machine.Read(Mmio.DeviceTableBase));
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn);
        ulong root = _machine.NewTable();
        _machine.Map(root, 3, 0x5000, 0x80_0000);
        _machine.SetDte(Device + 9, Bits.DteLow(root, 3), 9);
        _machine.Poke(TestMachine.CommandRing, 4UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 0x5000);
        Task<bool> translator = Task.Run(() =>
        {
            asked.Wait();
            using TranslationPort port = iommu.OpenPort(); // what a new port must look up too
            var requests = new TranslationRequest[8];
            Array.Fill(requests, new(new(Device + 9), 0x5000, Access.Read));
            var results = new TranslationResult[8];
            port.Translate(requests, results);
            bool alone = port.Translate(in requests[0]).Succeeded;
            answered.Set();
            return alone && results.All(static result => result.Succeeded);
        });
        iommu.Write(Mmio.CommandTail, 4, 0x10);
        Assert.True(await translator);
        Assert.True(inTime, "the translation waited for the command");
    }

    /// <summary>A device is told without waiting: what a batch under way answers may reach it later. COMPLETION_WAIT does wait.</summary>
    [Fact]
    public void ADeviceIsToldWhileABatchMayStillAnswerIt()
    {
        using var told = new ManualResetEventSlim();
        var iommu = new AmdIommu(_machine.Memory, new()
        {
            InvalidateDeviceTlb = _ =>
            {
                told.Set();
                return true;
            },
        });
        iommu.Write(Mmio.DeviceTableBase, 8, _machine.Read(Mmio.DeviceTableBase));
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn);
        (ulong waitLow, ulong waitHigh) = Bits.StoreWait(TestMachine.Semaphore, 77);
        _machine.Poke(TestMachine.CommandRing, 4UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, 0x6000);
        _machine.Poke(TestMachine.CommandRing + 16, waitLow);
        _machine.Poke(TestMachine.CommandRing + 24, waitHigh);
        using var driver = new Worker(() => iommu.Write(Mmio.CommandTail, 4, 0x20));
        using TranslationPort port = iommu.OpenPort();
        using (PortBatch batch = port.OpenBatch())
        {
            driver.Start();
            Assert.True(told.Wait(TimeSpan.FromSeconds(20)), "the batch was waited for");
            Assert.True(batch.Translate(new TranslationRequest(new(Device), 0x6000, Access.Read) { Kind = RequestKind.Translation }).Succeeded);
            Assert.Equal(0UL, _machine.Peek(TestMachine.Semaphore));
        }

        Assert.True(driver.Join(20_000));
        Assert.Equal(77UL, _machine.Peek(TestMachine.Semaphore));
    }

    /// <summary>A region that reaches bit 52 is everything; half of that is a size like any other.</summary>
    [Theory]
    [InlineData(0x0003_FFFF_FFFF_F001UL, 0UL, 51)]
    [InlineData(0x000B_FFFF_FFFF_F001UL, 0x0008_0000_0000_0000UL, 51)]
    [InlineData(0x0007_FFFF_FFFF_F001UL, 0UL, 64)]
    [InlineData(0xFFFF_FFFF_FFFF_F001UL, 0UL, 64)]
    public void ADeviceIsToldTheSizeOfWhatIsInvalid(ulong high, ulong address, int shift)
    {
        var seen = new List<DeviceTlbInvalidation>();
        var iommu = new AmdIommu(_machine.Memory, new()
        {
            InvalidateDeviceTlb = invalidation =>
            {
                seen.Add(invalidation);
                return true;
            },
        });
        iommu.Write(Mmio.CommandBase, 8, TestMachine.CommandRing | 9UL << 56);
        iommu.Write(Mmio.Control, 8, Mmio.IommuEn | Mmio.CmdBufEn);
        _machine.Poke(TestMachine.CommandRing, 4UL << 60 | Device);
        _machine.Poke(TestMachine.CommandRing + 8, high);
        iommu.Write(Mmio.CommandTail, 4, 0x10);
        Assert.Equal([new(new(Device), null, address, shift)], seen);
    }

    private TranslationResult Ask(ulong iova, Access access) =>
        _machine.Port.Translate(new TranslationRequest(new(Device), iova, access) { Kind = RequestKind.Translation });
}
