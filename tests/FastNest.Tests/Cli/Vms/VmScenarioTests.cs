using FastNest.Cli.Captures;
using FastNest.Cli.Commands;
using FastNest.Cli.Output;
using FastNest.Cli.Vms;
using FastNest.Iommufd;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Cli.Vms;

/// <summary>Two VMs side by side: right as they are, and found out when the host does it wrongly.</summary>
[Trait("Suite", "iommufd")]
public sealed class VmScenarioTests
{
    /// <summary>Enough for each part of each VM's memory to move twice.</summary>
    private const int Turns = 2 * 2 * 5 * 16;

    [Theory]
    [InlineData("amd-a-nvme-virtioblk-strict", 3194, 3110, 1)]
    [InlineData("amd-d-many-devices-vfio", null, 13636, 1)]
    [InlineData("amd-e-qemu10-nvme-virtioblk", null, 2261, 2)]
    public void RecordedDriversStartVmsThatAreMovedWhileTheyRun(string capture, int? accesses, int commands, int notOffered)
    {
        using var scenario = new VmScenario(CaptureFolder.Open(Path.Combine(AppContext.BaseDirectory, "Captures", "Data", capture)));

        VmReport report = scenario.RunInTurns(Turns);
        Assert.Equal((capture, 0), (report.Capture, report.Wrong));
        report = scenario.Run(TimeSpan.FromMilliseconds(300));

        Assert.Equal((capture, 0), (report.Capture, report.Wrong));
        Assert.All(report.Vms, vm =>
        {
            Assert.Equal(accesses ?? vm.Boot.Accesses, vm.Boot.Accesses);
            Assert.Equal((0, commands, notOffered), (vm.Boot.Absent, vm.Boot.Commands, vm.Boot.CommandsNotOffered));
            Assert.InRange(vm.Boot.ReadsDiffer, 1, vm.Boot.Accesses / 2);
            Assert.True(vm.Migrations >= 10 && vm.DmaReads > 0 && vm.DmaWrites > 0 && vm.Commands > commands);
        });
    }

    [Fact]
    public void OneThreadDoesTheSameEachTime()
    {
        VmReport[] reports = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            using var scenario = new VmScenario();
            return scenario.RunInTurns(Turns);
        })];

        Assert.Equal(0, reports[0].Wrong);
        Assert.Equal(reports[0].Vms, reports[1].Vms);
        Assert.All(reports[0].Vms, vm => Assert.True(vm.Events > 0 && vm.Migrations == 10 && vm.Translations > 0));
    }

    [Fact]
    public void ARegisterThatAVmHasNotIsCounted()
    {
        using EditedCapture capture = new();
        string trace = File.ReadAllText(capture.At("mmio.jsonl"));
        capture.Write("mmio.jsonl", """
            {"n":1,"op":"w","off":"0x20","size":8,"val":"0x0"}
            {"n":2,"op":"r","off":"0x2b0","size":8,"val":"0x0"}
            {"n":3,"op":"w","off":"0x170","size":8,"val":"0x0"}
            {"n":4,"op":"r","off":"0x100","size":8,"val":"0x0"}

            """.TrimEnd(' ') + trace);
        using var scenario = new VmScenario(CaptureFolder.Open(capture.Folder));

        VmReport report = scenario.RunInTurns(0);

        // A reserved offset, x2APIC interrupts and device table segments; exclusion is there for every guest.
        Assert.All(report.Vms, vm => Assert.Equal(3, vm.Boot.Absent));
        Assert.Equal(0, report.Wrong);
    }

    [Fact]
    public void TranslationsThatOutliveAMigrationAreFound()
    {
        VmReport report = Run(places => new WithoutInvalidation(places));

        Assert.True(report.Vms.Sum(vm => vm.StaleReads + vm.StaleWrites) > 0);
    }

    [Fact]
    public void APageOfAnotherVmIsFound()
    {
        VmReport report = Run(places => new IntoTheOther(places));

        Assert.True(report.Vms[0].ForeignReads > 0);
    }

    [Fact]
    public void ContentThatDoesNotMoveAlongIsFound()
    {
        VmReport report = Run(places => new WithoutCopy(places));

        Assert.True(report.Vms.Sum(vm => vm.StaleReads) > 0);
    }

    [Fact]
    public void WhatIsWrongIsToldInTextAndByTheExitCode()
    {
        VmReport report = Run(places => new IntoTheOther(places));
        using StringWriter output = new();

        Assert.Equal(1, VmCommand.Show(new Terminal(output), report, json: false));
        Assert.Matches(@"foreign reads +[1-9]", output.ToString());
    }

    private static VmReport Run(Func<HostPlaces, ParentMigration> migration)
    {
        using var scenario = new VmScenario(migration: migration);
        VmReport report = scenario.RunInTurns(Turns);
        Assert.NotEqual(0, report.Wrong);
        return report;
    }

    /// <summary>The host's tables change, and nobody is told.</summary>
    private sealed class WithoutInvalidation(HostPlaces places) : ParentMigration(places)
    {
        private readonly HostPlaces _places = places;

        protected override void Remap(VirtualMachine vm, GuestArea area, ulong to)
        {
            HostPageTable table = vm.Parent.Hardware.Tables.Table;
            table.Unmap(area.Start, area.Length);
            _places.Copy(area.Place, to);
            table.Map(area.Start, to, area.Length, Access.ReadWrite);
            table.GiveBack();
        }
    }

    /// <summary>The first VM's memory becomes the second's.</summary>
    private sealed class IntoTheOther(HostPlaces places) : ParentMigration(places)
    {
        private VirtualMachine? _second;

        protected override void Remap(VirtualMachine vm, GuestArea area, ulong to)
        {
            base.Remap(vm, area, to);
            _second = vm.Number == 1 ? vm : _second;
            if (_second is not null && vm.Number == 0 && area != vm.Tables)
            {
                vm.Memory.Unmap(area);
                vm.Memory.Map(area, _second.Data[0].Place);
            }
        }
    }

    /// <summary>The new place holds what nobody put there.</summary>
    private sealed class WithoutCopy(HostPlaces places) : ParentMigration(places)
    {
        protected override void Remap(VirtualMachine vm, GuestArea area, ulong to)
        {
            if (area == vm.Tables)
            {
                base.Remap(vm, area, to);
                return;
            }

            vm.Memory.Unmap(area);
            vm.Memory.Map(area, to);
        }
    }
}
