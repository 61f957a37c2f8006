using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Which bits are set in tables, as features, Control and the device's entry say (digest section 3, readings 33 and 36).</summary>
public sealed class MarkPolicyTests
{
    private const uint Device = 0x18;
    private const uint Pasid = 1;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong Gcr3 = 0x70_0000;
    private const ulong Guest = 0x71_0000;
    private const ulong HdSup = 1UL << 52;
    private const ulong GDUpdateDis = 1UL << 48;
    private const ulong GAUpdateDis = 1UL << 54;

    private static readonly ulong _features = IommuFeatures.Built.ExtendedFeatures;

    /// <summary>DTE.HAD, Control.HADUpdate, features that are not offered, what a write leaves in the leaf.</summary>
    [Theory]
    [InlineData(3UL, 3UL, 0UL, Accessed | Dirty)]
    [InlineData(1UL, 3UL, 0UL, Accessed)]
    [InlineData(3UL, 1UL, 0UL, Accessed)]
    [InlineData(0UL, 3UL, 0UL, 0UL)]
    [InlineData(3UL, 0UL, 0UL, 0UL)]
    [InlineData(3UL, 2UL, 0UL, 0UL)]
    [InlineData(3UL, 3UL, HdSup, Accessed)]
    [InlineData(3UL, 3UL, Mmio.HASup, 0UL)] // Control.HADUpdate does not stick
    public void OfTheSecondStage(ulong had, ulong update, ulong withheld, ulong marks)
    {
        using TestMachine machine = new TestMachine(_features & ~withheld).Start(update << 46);
        ulong root = machine.NewTable();
        ulong leaf = machine.Map(root, 2, 0x5000, 0x80_0000);
        machine.SetDte(Device, Bits.DteLow(root, 2) | had << 7, 5);
        Assert.True(machine.Translate(Device, 0x5000, Access.Write).Succeeded);
        Assert.Equal(marks, machine.Peek(leaf) & (Accessed | Dirty));
    }

    [Theory]
    [InlineData(0UL, Accessed | Dirty)]
    [InlineData(GDUpdateDis, Accessed)]
    [InlineData(GAUpdateDis, Dirty)]
    [InlineData(GAUpdateDis | GDUpdateDis, 0UL)]
    public void OfTheFirstStage(ulong disabled, ulong marks)
    {
        using TestMachine machine = Nested(disabled);
        Assert.True(Write(machine, Device).Succeeded);
        Assert.Equal(marks, machine.Peek(Guest + 0x3000 + 5 * 8) & (Accessed | Dirty));
    }

    /// <summary>What one device has cached without marking it does not answer for another of its domain.</summary>
    [Fact]
    public void ADeviceThatKeepsMarksMarksWhatAnotherHasCachedWithout()
    {
        using TestMachine machine = new TestMachine(_features).Start(3UL << 46);
        ulong root = machine.NewTable();
        ulong leaf = machine.Map(root, 2, 0x5000, 0x80_0000);
        machine.SetDte(Device, Bits.DteLow(root, 2), 5);
        machine.SetDte(Device + 1, Bits.DteLow(root, 2) | 3UL << 7, 5);
        Assert.True(machine.Translate(Device, 0x5000, Access.Write).Succeeded);
        Assert.Equal(0UL, machine.Peek(leaf) & (Accessed | Dirty));
        Assert.True(machine.Translate(Device + 1, 0x5000, Access.Write).Succeeded);
        Assert.Equal(Accessed | Dirty, machine.Peek(leaf) & (Accessed | Dirty));
    }

    [Fact]
    public void APasidMarksItsTablesOnceControlSaysSo()
    {
        using TestMachine machine = Nested(GAUpdateDis | GDUpdateDis);
        Assert.True(Write(machine, Device).Succeeded);
        machine.Write(Mmio.Control, machine.Read(Mmio.Control) & ~(GAUpdateDis | GDUpdateDis));
        Assert.True(Write(machine, Device + 1).Succeeded); // of the same domain, but not known yet
        Assert.Equal(Accessed | Dirty, machine.Peek(Guest + 0x3000 + 5 * 8) & (Accessed | Dirty));
    }

    /// <summary>Reading 86: what was cached under the settings of before is gone with everything else.</summary>
    [Theory]
    [InlineData(0UL, 3UL)]
    [InlineData(3UL, 0UL)]
    public void AChangedSettingIsSeenOnceEverythingIsInvalidated(ulong before, ulong after)
    {
        using TestMachine machine = new TestMachine(_features).Start(before << 46);
        ulong root = machine.NewTable();
        ulong known = machine.Map(root, 2, 0x5000, 0x80_0000);
        ulong other = machine.Map(root, 2, 0x6000, 0x81_0000); // not asked for before: nothing but the context is cached of it
        machine.SetDte(Device, Bits.DteLow(root, 2) | 3UL << 7, 5);
        Assert.True(machine.Translate(Device, 0x5000, Access.Write).Succeeded);
        machine.Write(Mmio.Control, (machine.Read(Mmio.Control) & ~(3UL << 46)) | after << 46);
        machine.Poke(known, machine.Peek(known) & ~(Accessed | Dirty));
        machine.SendAndWait(Bits.InvalidateAll());
        foreach ((ulong iova, ulong leaf) in new[] { (0x5000UL, known), (0x6000UL, other) })
        {
            Assert.True(machine.Translate(Device, iova, Access.Write).Succeeded);
            Assert.Equal(after == 0 ? 0 : Accessed | Dirty, machine.Peek(leaf) & (Accessed | Dirty));
        }
    }

    /// <summary>Reading 86.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnotherDeviceTableIsSeenOnceTheDevicesEntryIsInvalidated(bool everything)
    {
        const ulong other = 0x30_0000;
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.Map(root, 2, 0x5000, 0x80_0000);
        machine.SetDte(Device, Bits.DteLow(root, 2), 5);
        machine.Poke(other + Device * 32, Bits.V | Bits.TV); // neither read nor written
        Assert.True(machine.Translate(Device, 0x5000).Succeeded);
        machine.Write(Mmio.DeviceTableBase, other | 0x1FF);
        machine.SendAndWait(everything ? Bits.InvalidateAll() : Bits.InvalidateDevice(Device));
        Assert.Equal(FaultReason.PermissionDenied, machine.Translate(Device, 0x5000).Reason);
    }

    /// <summary>A refused request leaves entries unmarked; the next one to pass through them marks them all.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnEntryLeftUnmarkedByARefusalIsMarkedByTheNeighbour(bool nested)
    {
        using TestMachine machine = Nested(0);
        ulong root = machine.NewTable();
        ulong missing = machine.Map(root, 3, 0x4000, 0x80_0000, 0);
        machine.Map(root, 3, 0x5000, 0x80_0000);
        machine.Write(Mmio.Control, machine.Read(Mmio.Control) | 3UL << 46);
        machine.SetDte(Device + 2, Bits.DteLow(root, 3) | 3UL << 7, 6);
        uint? pasid = nested ? Pasid : null;
        uint device = nested ? Device : Device + 2;
        Assert.False(Ask(machine, device, pasid, 0x4000).Succeeded);
        Assert.True(Ask(machine, device, pasid, 0x5000).Succeeded);
        for (ulong level = 0; level < 3; level++)
        {
            Assert.Equal(Accessed, machine.Peek(nested ? Guest + level * 0x1000 : TopOf(machine, root, level)) & Accessed);
        }

        Assert.Equal(0UL, machine.Peek(missing) & Accessed);
    }

    private static ulong TopOf(TestMachine machine, ulong root, ulong level)
    {
        ulong table = root;
        for (ulong i = 0; i < level; i++)
        {
            table = machine.Peek(table) & 0xF_FFFF_FFFF_F000;
        }

        return table + (level == 2 ? 5UL * 8 : 0);
    }

    /// <summary>Two devices with the same guest tables; page 4 is not present there, page 5 can be written.</summary>
    private static TestMachine Nested(ulong control)
    {
        TestMachine machine = new TestMachine(_features).Start(Mmio.GTEn | control);
        machine.Poke(Gcr3 + Pasid * 8, Guest | 1);
        for (ulong level = 0; level < 3; level++)
        {
            machine.Poke(Guest + level * 0x1000, (Guest + (level + 1) * 0x1000) | 7);
        }

        machine.Poke(Guest + 0x3000 + 5 * 8, 0x90_0007);
        for (uint device = Device; device < Device + 2; device++)
        {
            machine.SetDte(device, Bits.DteLow(0, 0) | 1UL << 55 | (Gcr3 >> 12 & 7) << 58, 5 | (Gcr3 >> 15 & 0xFFFF) << 16);
        }

        return machine;
    }

    private static TranslationResult Write(TestMachine machine, uint device) => Ask(machine, device, Pasid, 0x5000);

    private static TranslationResult Ask(TestMachine machine, uint device, uint? pasid, ulong iova) => machine.Port.Translate(
        pasid is { } number ? new(new(device), number, iova, Access.Write) : new(new(device), iova, Access.Write));
}
