using FastNest.Amd;
using FastNest.Requests;
using FastNest.Tests.Machine;
using Xunit;

namespace FastNest.Tests.Amd;

/// <summary>Each way a v1 translation fails: code, every flag, DomainID and address (digest sections 5.2, 5.3 and 7.1).</summary>
public sealed class FaultEventTests
{
    private const uint Device = 0x1A5B;
    private const ushort Domain = 0xBEEF;
    private const ulong Iova = 0x0000_0023_4567_89AB;
    private const ulong Fault = 2UL << 60 | (ulong)Domain << 32 | Device;

    private const ulong Present = 1UL << 52;
    private const ulong Write = 1UL << 53;
    private const ulong Denied = 1UL << 54;
    private const ulong Reserved = 1UL << 55;
    private const ulong NoExecute = 1UL << 49;

    public static TheoryData<string, Func<TestMachine, ulong, ulong>, FaultReason, ulong> Failures => new()
    {
        // what is wrong; how to make it so (gets the root, gives the expected address); why; the event without the access's flags
        { "not present at the top", static (_, _) => Iova, FaultReason.NotPresent, Fault },
        { "not present at level 1", static (machine, root) => { machine.SetEntry(root, 3, Iova, 1, 0xFFE); return Iova; }, FaultReason.NotPresent, Fault },
        { "reserved bit in a directory", static (machine, root) => { machine.SetEntry(root, 3, Iova, 3, Bits.Pde(0x1000, 2) | 1UL << 60); return Iova; }, FaultReason.ReservedBit, Fault | Present | Reserved },
        { "reserved bit in a leaf", static (machine, root) => { machine.SetEntry(root, 3, Iova, 1, Bits.Pte(0x1000) | 1UL << 52); return Iova; }, FaultReason.ReservedBit, Fault | Present | Reserved },
        { "next level not below", static (machine, root) => { machine.SetEntry(root, 3, Iova, 2, Bits.Pde(0x1000, 2)); return Iova; }, FaultReason.InvalidLevel, Fault | Present },
        { "directory at level 1", static (machine, root) => { machine.SetEntry(root, 3, Iova, 1, Bits.Pde(0x1000, 1)); return Iova; }, FaultReason.InvalidLevel, Fault | Present },
        { "page size", static (machine, root) => { machine.SetEntry(root, 3, Iova, 2, Bits.SizedPte(0, 21)); return Iova; }, FaultReason.InvalidPageSize, Fault | Present },
        { "skipped bits", static (machine, root) => { machine.SetEntry(root, 3, Iova, 3, Bits.Pde(0x1000, 1)); return Iova; }, FaultReason.SkippedBits, Fault | Present },
        { "no permission at all", static (machine, root) => { machine.SetEntry(root, 3, Iova, 1, Bits.Pte(0x1000, 0)); return Iova; }, FaultReason.PermissionDenied, Fault | Present | Denied },
        { "unreadable table", static (machine, root) => { machine.SetEntry(root, 3, Iova, 2, Bits.Pde(TestMachine.Hole, 1)); return TestMachine.Hole + (Iova >> 12 & 511) * 8; }, FaultReason.TableUnreadable, 4UL << 60 | 1UL << 57 | (ulong)Domain << 32 | Device },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public void AFailedWalkGivesItsEvent(string what, Func<TestMachine, ulong, ulong> arrange, FaultReason reason, ulong entry)
    {
        Assert.NotEmpty(what);
        foreach (Access access in new[] { Access.Read, Access.Write, Access.ReadWrite, Access.Execute, Access.All })
        {
            using TestMachine machine = new TestMachine().Start();
            ulong root = machine.NewTable();
            machine.SetDte(Device, Bits.DteLow(root, 3), Domain);
            ulong address = arrange(machine, root);
            ulong expected = entry | ((access & Access.Write) != 0 ? Write : 0);
            if (entry >> 60 == 2 && (access & Access.Execute) != 0)
            {
                expected |= NoExecute;
            }

            var request = new TranslationRequest(new(Device), Iova, access);
            TranslationResult result = machine.Port.Translate(in request);
            Assert.Equal((reason, address, Domain, TranslationStage.Host), (result.Reason, result.Address, result.Domain, result.Stage));
            Assert.Equal((expected, address), machine.OnlyEvent());
            var described = AmdIommu.Describe(in request, in result);
            Assert.Equal((expected, address), (described.Word0, described.Word1));
        }
    }

    [Theory]
    [InlineData(Bits.IR, Access.Write, Write)]
    [InlineData(Bits.IR, Access.ReadWrite, Write)]
    [InlineData(Bits.IW, Access.Read, 0UL)]
    [InlineData(Bits.IW, Access.Execute, NoExecute)]
    public void MissingPermissionsAreNamedWhereverTheyLack(ulong rights, Access access, ulong flags)
    {
        for (int weak = 0; weak < 4; weak++)
        {
            using TestMachine machine = new TestMachine().Start();
            ulong root = machine.NewTable();
            machine.SetDte(Device, Bits.DteLow(root, 3, weak == 0 ? rights : Bits.IR | Bits.IW), Domain);
            machine.Map(root, 3, Iova, 0x8000);
            if (weak > 0)
            {
                ulong slot = machine.SetEntry(root, 3, Iova, weak, 0);
                machine.Poke(slot, weak == 1 ? Bits.Pte(0x8000, rights) : Bits.Pde(0, 0, rights));
                if (weak > 1)
                {
                    machine.Poke(slot, Bits.PR | rights | (ulong)(weak - 1) << 9 | Rebuild(machine, weak));
                }
            }

            Assert.False(machine.Translate(Device, Iova, access).Succeeded);
            Assert.Equal((Fault | Present | Denied | flags, Iova), machine.OnlyEvent());
        }
    }

    [Fact]
    public void AnAddressBeyondTheModeIsNotPresent()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.DteLow(machine.NewTable(), 3), Domain);
        machine.Translate(Device, 1UL << 39, Access.Write);
        Assert.Equal((Fault | Write, 1UL << 39), machine.OnlyEvent());
    }

    [Fact]
    public void AMalformedEntryFurtherDownWinsOverPermission()
    {
        using TestMachine machine = new TestMachine().Start();
        ulong root = machine.NewTable();
        machine.SetDte(Device, Bits.DteLow(root, 3, 0), Domain);
        machine.SetEntry(root, 3, Iova, 1, Bits.Pte(0x1000, 0) | 1UL << 55);
        machine.Translate(Device, Iova);
        Assert.Equal((Fault | Present | Reserved, Iova), machine.OnlyEvent());
    }

    [Theory]
    [InlineData(false, 1UL << 50)] // US: a user request
    [InlineData(true, 0UL)]
    public void APasidWithoutGuestTablesIsRefusedInTheDomain(bool privileged, ulong user)
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.DteLow(0, 0), Domain);
        machine.Port.Translate(new TranslationRequest(new(Device), 0xABCDE, Iova, Access.Write, privileged));
        Assert.Equal((Fault | Write | user, Iova), machine.OnlyEvent());
    }

    /// <summary>Reading 28: GN and the PASID in an illegal entry's event.</summary>
    [Fact]
    public void AnIllegalEntrysEventNamesThePasid()
    {
        using TestMachine machine = new TestMachine().Start();
        machine.SetDte(Device, Bits.V | 4, Domain);
        machine.Port.Translate(new TranslationRequest(new(Device), 0xABCDE, Iova | 3, Access.Read));
        Assert.Equal((1UL << 60 | Reserved | 1UL << 48 | 0xBCDEUL << 32 | 0xAUL << 16 | Device, Iova & ~3UL), machine.OnlyEvent());
    }

    [Fact]
    public void WhatWasGrantedDescribesNothing()
    {
        var request = new TranslationRequest(new(Device), Iova, Access.Read);
        TranslationResult granted = TranslationResult.Success(Iova, 12, Access.Read, 0);
        Assert.Equal(default, AmdIommu.Describe(in request, in granted));
    }

    [Fact]
    public void AnEventsFieldsReadAsWritten()
    {
        var entry = new FastNest.Amd.Events.IommuEvent(2UL << 60 | 0x1FFUL << 48 | (ulong)Domain << 32 | Device, Iova);
        Assert.Equal((FastNest.Amd.Events.EventCode.IoPageFault, new DeviceId(Device), Domain, Iova), (entry.Code, entry.Device, entry.Domain, entry.Address));
        Assert.True(entry is { GN: true, NX: true, US: true, I: true, PR: true, RW: true, PE: true, RZ: true, TR: true });
        entry = new(2UL << 60 | Device, 0);
        Assert.True(entry is { GN: false, NX: false, US: false, I: false, PR: false, RW: false, PE: false, RZ: false, TR: false });
    }

    /// <summary>Makes a chain below a level and gives its top table.</summary>
    private static ulong Rebuild(TestMachine machine, int level)
    {
        ulong table = machine.NewTable();
        machine.SetEntry(table, level - 1, Iova, 1, Bits.Pte(0x8000));
        return table;
    }
}
