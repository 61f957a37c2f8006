using FastNest.Amd.Commands;
using FastNest.Amd.Events;
using FastNest.Amd.Registers;
using FastNest.Amd.Viommu;
using FastNest.Cli.Replays;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;

namespace FastNest.Cli.Vms;

/// <summary>
/// A VM's driver after its start: commands into its ring and events out of its log, through the page of registers that no trap
/// guards.
/// </summary>
internal sealed class GuestDriver
{
    /// <summary>How often the hardware is given turns before a completion counts as missing.</summary>
    private const int Patience = 1000;

    private const ulong VfPage = 0x2000;

    private readonly VirtualMachine _vm;
    private readonly ViommuHardware _hardware;
    private readonly GuestRing _commands;
    private readonly GuestRing _events;
    private readonly WorkCounters _counters;
    private ulong _tail;
    private ulong _ticket;

    /// <param name="vm">The VM, whose driver has started.</param>
    /// <param name="hardware">What executes its commands.</param>
    /// <param name="counters">Counts what happens.</param>
    public GuestDriver(VirtualMachine vm, ViommuHardware hardware, WorkCounters counters)
    {
        _vm = vm;
        _hardware = hardware;
        _counters = counters;
        _commands = Ring(RegisterMap.CommandBufferBase);
        _events = Ring(RegisterMap.EventLogBase);
        _tail = Read(RegisterMap.CommandTail);
    }

    /// <summary>Whether its rings run.</summary>
    public bool IsRunning
    {
        get
        {
            ulong running = StatusRegister.CmdBufRun.Mask | StatusRegister.EventLogRun.Mask;
            return (Read(RegisterMap.Status) & running) == running;
        }
    }

    /// <summary>Whether a device and an address are what an event of this VM may name.</summary>
    public required Func<uint, ulong, bool> IsOwn { get; init; }

    /// <summary>Puts INVALIDATE_DEVTAB_ENTRY into the ring.</summary>
    public void InvalidateEntry(uint device) => Queue(HostCommand.InvalidateEntry(new(device)));

    /// <summary>Puts INVALIDATE_IOMMU_PAGES of a page of the VM's tables into the ring.</summary>
    public void InvalidatePage(ushort domain, ulong address) => Invalidate(domain, new(address, address));

    /// <summary>Puts INVALIDATE_IOMMU_PAGES of all of a domain into the ring.</summary>
    public void InvalidateDomain(ushort domain) => Invalidate(domain, IovaRange.All);

    /// <summary>Puts a COMPLETION_WAIT into the ring, rings the bell, and returns when its store is there.</summary>
    public void Wait()
    {
        Queue(HostCommand.CompletionWait(_vm.Layout.Semaphore, ++_ticket));
        Write(RegisterMap.CommandTail, _tail);
        _counters.Waits++;
        for (int turn = 0; turn < Patience; turn++)
        {
            if (_vm.Memory.Load(_vm.Layout.Semaphore) == _ticket)
            {
                return;
            }

            _hardware.RunGuests();
        }

        _counters.Timeouts++;
    }

    /// <summary>Takes the events out of the log, and starts it anew if it was full.</summary>
    public void TakeEvents()
    {
        ulong head = Read(RegisterMap.EventHead);
        ulong tail = Read(RegisterMap.EventTail);
        bool overflowed = StatusRegister.EventOverflow.IsSet(Read(RegisterMap.Status));
        for (; head != tail; head = (head + DriverRegister.EntrySize) % _events.Length)
        {
            var entry = new IommuEvent(_vm.Memory.Load(_events.Base + head), _vm.Memory.Load(_events.Base + head + sizeof(ulong)));
            _counters.Events++;
            _counters.ForeignEvents += entry.Code == EventCode.IoPageFault && IsOwn(entry.Device.Value, entry.Address) ? 0 : 1;
        }

        Write(RegisterMap.EventHead, head);
        if (overflowed)
        {
            _counters.EventOverflows++;
            Restart();
        }
    }

    private void Invalidate(ushort domain, IovaRange range)
    {
        Command command = HostCommand.InvalidatePages(domain, range);
        Queue(command with { Word1 = command.Word1 | CommandLayout.GN.Mask });
        _counters.Invalidations++;
    }

    /// <summary>The log is off while its overflow is cleared (digest section 9).</summary>
    private void Restart()
    {
        var registers = new CountedRegisters(_vm);
        registers.Change(ControlRegister.EventLogEn, 0);
        Write(RegisterMap.Status, StatusRegister.EventOverflow.Mask | StatusRegister.EventLogInt.Mask);
        registers.Change(ControlRegister.EventLogEn, 1);
    }

    private void Queue(in Command command)
    {
        ulong next = (_tail + DriverRegister.EntrySize) % _commands.Length;
        if (next == Read(RegisterMap.CommandHead))
        {
            Write(RegisterMap.CommandTail, _tail);
            while (next == Read(RegisterMap.CommandHead) && _hardware.RunGuests())
            {
            }
        }

        _vm.Memory.Store(_commands.Base + _tail, command.Word0);
        _vm.Memory.Store(_commands.Base + _tail + sizeof(ulong), command.Word1);
        _tail = next;
        _counters.Commands++;
    }

    private GuestRing Ring(Register register)
    {
        ulong value = _vm.Read((ulong)register.Offset, sizeof(ulong));
        return new(BaseRegister.Address.InPlace(value), DriverRegister.RingLength(value));
    }

    private ulong Read(Register register) => _vm.Page.Read((ulong)register.Offset - VfPage, sizeof(uint));

    private void Write(Register register, ulong value) => _vm.Page.Write((ulong)register.Offset - VfPage, sizeof(uint), value);
}
