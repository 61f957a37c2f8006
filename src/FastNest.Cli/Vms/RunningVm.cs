using FastNest.Engine;

namespace FastNest.Cli.Vms;

/// <summary>A VM whose driver has started, with the work of its processor and the load of its devices.</summary>
internal sealed class RunningVm
{
    private readonly BootReport _boot;
    private readonly WorkCounters _workCounters = new();
    private readonly DmaCounters _dmaCounters = new();
    private readonly GuestWork _work;
    private readonly DmaLoad[] _loads;
    private readonly GuestArea[] _movable;
    private int _moved;

    /// <param name="host">The machine.</param>
    /// <param name="vm">The VM.</param>
    /// <param name="boot">How its driver starts.</param>
    /// <param name="port">The port of the devices' thread.</param>
    public RunningVm(VmHost host, VirtualMachine vm, IGuestBoot boot, TranslationPort port)
    {
        Vm = vm;
        _boot = boot.Boot(vm);
        var driver = new GuestDriver(vm, host.Hardware, _workCounters)
        {
            IsOwn = (device, address) => device - VirtualMachine.VirtualId(0) < vm.Devices.Count && DmaBuffers.Contains(address),
        };
        IsUp = driver.IsRunning;
        _work = new(vm, driver, _workCounters);
        var tokens = new DmaTokens(vm.Number);
        _loads = [.. Enumerable.Range(0, vm.Devices.Count).Select(device =>
            new DmaLoad(vm, device, _work.Buffers(device), tokens, host.Places, port, _dmaCounters))];
        _movable = [vm.Tables, .. vm.Data];
    }

    public VirtualMachine Vm { get; }

    /// <summary>Whether its driver left its rings running.</summary>
    public bool IsUp { get; }

    public VmFigures Figures => new(Vm.Number, _boot, _workCounters, _dmaCounters);

    /// <summary>A round of the processor.</summary>
    public void Work() => _work.Round();

    /// <summary>A step of each device; of the devices' thread.</summary>
    public void Load()
    {
        foreach (DmaLoad load in _loads)
        {
            load.Step();
        }
    }

    /// <summary>The host moves the next part of its memory.</summary>
    public void Migrate(ParentMigration migration) => migration.Move(Vm, _movable[_moved++ % _movable.Length], _workCounters);
}
