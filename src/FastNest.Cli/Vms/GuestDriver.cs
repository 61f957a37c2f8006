using System.Buffers.Binary;
using FastNest.Amd.Commands;
using FastNest.Amd.DeviceTable;
using FastNest.Amd.Registers;

namespace FastNest.Cli.Vms;

/// <summary>
/// A VM's own driver, as a stock one goes about it: it sets its IOMMU up by registers, has v2 tables, and maps and unmaps pages
/// under its device, telling its IOMMU through its ring and waiting for the completion. One thread but where said.
/// </summary>
internal sealed class GuestDriver
{
    /// <summary>How many pages its device can be given.</summary>
    public const int Slots = 1024;

    private const ulong FirstIova = 0x4000_0000;
    private const ulong PageSize = 4096;
    private const ulong Present = 7; // P, R/W, U/S
    private const ulong RingLength = 4096;
    private const ulong RingCode = 8UL << 56;
    private const ushort Domain = 1;
    private const int Changes = 8;

    // The VM's first piece of memory.
    private const ulong DeviceTable = 0x0_0000;
    private const ulong CommandRing = 0x1_0000;
    private const ulong EventRing = 0x2_0000;
    private const ulong PprRing = 0x3_0000;
    private const ulong Semaphore = 0x4_0000;
    private const ulong Gcr3 = 0x5_0000;
    private const ulong FirstTable = 0x6_0000;

    private readonly Vm _vm;
    private readonly Random _random;
    private readonly long[] _epochs = new long[Slots];
    private readonly ulong[] _pages = new ulong[Slots];
    private ulong _tables = FirstTable;
    private ulong _top;
    private ulong _control;
    private ulong _tail;
    private ulong _ticket;

    public GuestDriver(Vm vm)
    {
        _vm = vm;
        _random = new(vm.Number);
        for (ulong page = VmHost.PieceSize; page < VmHost.Pieces * VmHost.PieceSize; page += PageSize)
        {
            vm.Store(page, GuestPage.Of(vm.Number, page));
            vm.Store(page + sizeof(ulong), 0);
        }
    }

    /// <summary>How many commands the hardware has carried out.</summary>
    public long Commands { get; private set; }

    public long Maps { get; private set; }

    public long Unmaps { get; private set; }

    public long Events { get; private set; }

    /// <summary>How often its log was full, and was started anew.</summary>
    public long Overflows { get; private set; }

    /// <summary>How often a command was not done when its completion should have been there.</summary>
    public long Late { get; private set; }

    public static ulong IovaOf(int slot) => FirstIova + (ulong)slot * PageSize;

    /// <summary>How often a slot was changed, odd while it is; any thread.</summary>
    public long EpochOf(int slot) => Volatile.Read(ref _epochs[slot]);

    /// <summary>Which page of the VM a slot leads to, 0 for none; any thread.</summary>
    public ulong PageOf(int slot) => Volatile.Read(ref _pages[slot]);

    /// <summary>Sets the IOMMU up, then the device.</summary>
    public void Boot()
    {
        if ((_vm.Read(GuestRegister.ExtendedFeature, 8) & Amd.Registers.ExtendedFeature.GTSup.Mask) == 0)
        {
            throw new InvalidOperationException("the VM's IOMMU offers no guest translation");
        }

        _vm.Write(GuestRegister.DeviceTableBase, 8, DeviceTable);
        _vm.Write(GuestRegister.CommandBufferBase, 8, CommandRing | RingCode);
        _vm.Write(GuestRegister.EventLogBase, 8, EventRing | RingCode);
        _vm.Write(GuestRegister.PprLogBase, 8, PprRing | RingCode);
        _control = ControlRegister.IommuEn.Mask | ControlRegister.GTEn.Mask
            | ControlRegister.EventLogEn.Mask | ControlRegister.EventIntEn.Mask
            | ControlRegister.CmdBufEn.Mask | ControlRegister.ComWaitIntEn.Mask
            | ControlRegister.PprEn.Mask | ControlRegister.PprLogEn.Mask | ControlRegister.PprIntEn.Mask;
        _vm.Write(GuestRegister.Control, 8, _control);

        _top = NewTable();
        _vm.Store(Gcr3, _top | 1);
        byte[] entry = new byte[Dte.Size];
        BinaryPrimitives.WriteUInt64LittleEndian(
            entry, Dte.V.Mask | Dte.TV.Mask | Dte.GIoV.Mask | Dte.GV.Mask | Dte.Gcr3Root14To12.Of(Gcr3 >> 12 & 7));
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(8), Dte.DomainID.Of(Domain) | Dte.Gcr3Root30To15.Of(Gcr3 >> 15));
        for (int word = 0; word < Dte.Size / 8; word++)
        {
            _vm.Store(DeviceTable + Vm.VirtualDevice * Dte.Size + (ulong)word * 8, BinaryPrimitives.ReadUInt64LittleEndian(entry.AsSpan(word * 8)));
        }

        _vm.Attach(entry);
        Send((ulong)Opcode.InvalidateDevtabEntry << 60 | Vm.VirtualDevice, 0);
        Wait();
    }

    /// <summary>Gives some slots other pages, or none, then tells the IOMMU and waits.</summary>
    public void Step()
    {
        Span<int> slots = stackalloc int[Changes];
        Span<ulong> pages = stackalloc ulong[Changes];
        for (int i = 0; i < Changes; i++)
        {
            // One slot of each stretch: none twice.
            slots[i] = i * (Slots / Changes) + _random.Next(Slots / Changes);
            pages[i] = _random.Next(8) == 0 ? 0 : VmHost.PieceSize + (ulong)_random.Next((int)((VmHost.Pieces - 1) * VmHost.PieceSize / PageSize)) * PageSize;
            Volatile.Write(ref _epochs[slots[i]], _epochs[slots[i]] + 1);
            _vm.Store(EntryOf(IovaOf(slots[i])), pages[i] == 0 ? 0 : pages[i] | Present);
            Send((ulong)Opcode.InvalidateIommuPages << 60 | CommandLayout.DomainID.Of(Domain), IovaOf(slots[i]) | CommandLayout.GN.Mask);
            Maps += pages[i] == 0 ? 0 : 1;
            Unmaps += pages[i] == 0 ? 1 : 0;
        }

        Wait();
        for (int i = 0; i < Changes; i++)
        {
            Volatile.Write(ref _pages[slots[i]], pages[i]);
            Volatile.Write(ref _epochs[slots[i]], _epochs[slots[i]] + 1);
        }

        DrainEvents();
    }

    /// <summary>Pages in which somebody else has written.</summary>
    public long CountForeign()
    {
        long foreign = 0;
        for (ulong page = VmHost.PieceSize; page < VmHost.Pieces * VmHost.PieceSize; page += PageSize)
        {
            ulong written = _vm.Load(page + sizeof(ulong));
            foreign += _vm.Load(page) == GuestPage.Of(_vm.Number, page) && (written == 0 || GuestPage.VmOf(written) == _vm.Number) ? 0 : 1;
        }

        return foreign;
    }

    private void Send(ulong low, ulong high)
    {
        _vm.Store(CommandRing + _tail, low);
        _vm.Store(CommandRing + _tail + 8, high);
        _tail = (_tail + 16) % RingLength;
        Commands++;
    }

    private void Wait()
    {
        Send((ulong)Opcode.CompletionWait << 60 | CommandLayout.Store.Mask | Semaphore, ++_ticket);
        _vm.Write(GuestRegister.CommandTail, 4, _tail);
        Late += _vm.Load(Semaphore) == _ticket ? 0 : 1;
    }

    private void DrainEvents()
    {
        ulong tail = _vm.Read(GuestRegister.EventTail, 4);
        ulong head = _vm.Read(GuestRegister.EventHead, 4);
        Events += (long)((tail - head) % RingLength / 16);
        _vm.Write(GuestRegister.EventHead, 4, tail);
        if ((_vm.Read(GuestRegister.Status, 8) & StatusRegister.EventOverflow.Mask) != 0)
        {
            Overflows++;
            _vm.Write(GuestRegister.Control, 8, _control & ~ControlRegister.EventLogEn.Mask);
            _vm.Write(GuestRegister.Status, 8, StatusRegister.EventOverflow.Mask);
            _vm.Write(GuestRegister.Control, 8, _control);
        }
    }

    private ulong NewTable()
    {
        _tables += PageSize;
        return _tables - PageSize;
    }

    /// <summary>Where an address's entry of level 1 stands, the tables above it made as needed.</summary>
    private ulong EntryOf(ulong iova)
    {
        ulong table = _top;
        for (int level = 4; level > 1; level--)
        {
            ulong slot = table + (iova >> (3 + 9 * level) & 511) * 8;
            ulong entry = _vm.Load(slot);
            if (entry == 0)
            {
                entry = NewTable() | Present;
                _vm.Store(slot, entry);
            }

            table = entry & ~(PageSize - 1);
        }

        return table + (iova >> 12 & 511) * 8;
    }
}
