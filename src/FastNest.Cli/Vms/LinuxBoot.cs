using FastNest.Amd.Registers;
using FastNest.Cli.Replays;

namespace FastNest.Cli.Vms;

/// <summary>Brings an IOMMU up as Linux drivers/iommu/amd/init.c does, in its order and with its sizes of access.</summary>
internal sealed class LinuxBoot : IGuestBoot
{
    private const ulong OneSecond = 2; // INV_TIMEOUT

    public VmLayout Layout { get; } = new(0);

    public IReadOnlyList<DriverRun> Memory => [];

    public GuestRings Rings => Layout.Rings;

    public BootReport Boot(VirtualMachine vm)
    {
        var registers = new CountedRegisters(vm);
        registers.Read(RegisterMap.ExtendedFeatures, sizeof(ulong));
        registers.Read(RegisterMap.ExtendedFeatures2, sizeof(ulong));
        registers.Change(ControlRegister.CmdBufEn, 0);
        registers.Change(ControlRegister.EventIntEn, 0);
        registers.Change(ControlRegister.EventLogEn, 0);
        registers.Change(ControlRegister.PprLogEn, 0);
        registers.Change(ControlRegister.PprIntEn, 0);
        registers.Change(ControlRegister.IommuEn, 0);
        registers.Change(ControlRegister.Coherent, 1);
        registers.Change(ControlRegister.InvTimeOut, OneSecond);
        SetUp(registers, RegisterMap.CommandBufferBase, RegisterMap.CommandHead, RegisterMap.CommandTail, Rings.Commands);
        registers.Change(ControlRegister.CmdBufEn, 1);
        SetUp(registers, RegisterMap.EventLogBase, RegisterMap.EventHead, RegisterMap.EventTail, Rings.Events);
        registers.Change(ControlRegister.EventLogEn, 1);
        registers.Change(ControlRegister.GTEn, 1);
        registers.Change(ControlRegister.IommuEn, 1);
        registers.Change(ControlRegister.EventIntEn, 1);
        registers.Change(ControlRegister.PprEn, 1);
        SetUp(registers, RegisterMap.PprLogBase, RegisterMap.PprHead, RegisterMap.PprTail, Rings.Pprs);
        registers.Change(ControlRegister.PprIntEn, 1);
        registers.Change(ControlRegister.PprLogEn, 1);
        registers.Read(RegisterMap.Status, sizeof(uint));
        return new() { Accesses = registers.Accesses };
    }

    private static void SetUp(CountedRegisters registers, Register place, Register head, Register tail, GuestRing ring)
    {
        ulong length = (ulong)ulong.Log2(ring.Length / DriverRegister.EntrySize);
        registers.WriteHalves(place, ring.Base | BaseRegister.RingLength.Of(length));
        registers.Write(head, sizeof(uint), 0);
        registers.Write(tail, sizeof(uint), 0);
    }
}
