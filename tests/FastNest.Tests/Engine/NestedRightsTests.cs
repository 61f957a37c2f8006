using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Engine;

/// <summary>Two devices of one domain and PASID whose entries differ in rights share cached guest tables and pages.</summary>
public sealed class NestedRightsTests
{
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Top = 0x70_1000;

    /// <summary>Readings 9, 31 and 34: guest tables are read through the device's own DTE.IR, cached or not.</summary>
    [Theory]
    [InlineData(0x1000UL)] // the same page: the IOTLB knows it
    [InlineData(0x2000UL)] // its neighbour: the tables above it are known
    public void ADeviceWithoutReadRightCannotUseGuestTablesThatAnotherHasCached(ulong iova)
    {
        using TestMachine machine = new TestMachine(Mmio.BuiltEfr | Mmio.GTSup | 1UL << 53 | 1UL << 61).Start(Mmio.GTEn | 1UL << 48 | 1UL << 54);
        machine.Poke(Gcr3, Top | 1);
        for (ulong level = 0; level < 3; level++)
        {
            machine.Poke(Top + level * 0x1000, Top + (level + 1) * 0x1000 | 0x67);
        }

        machine.Poke(Top + 0x3000 + 8, 0x10_0067);
        machine.Poke(Top + 0x3000 + 16, 0x20_0067);
        SetDevice(machine, 1, Bits.IR | Bits.IW);
        SetDevice(machine, 2, Bits.IW);
        Assert.True(machine.Port.Translate(new TranslationRequest(new(1), 0, 0x1000, Access.Write)).Succeeded);
        TranslationResult result = machine.Port.Translate(new TranslationRequest(new(2), 0, iova, Access.Write));
        Assert.Equal((FaultReason.PermissionDenied, TranslationStage.Host), (result.Reason, result.Stage));
        Assert.Equal(Top, result.Address & ~0xFFFUL); // the first table read
    }

    private static void SetDevice(TestMachine machine, uint device, ulong rights) => machine.SetDte(
        device,
        Bits.DteLow(0, 0, rights) | Bits.GuestLow(Gcr3),
        0x77 | Bits.GuestMiddle(Gcr3));
}
