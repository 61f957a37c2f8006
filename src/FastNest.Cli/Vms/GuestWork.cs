using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>
/// What a VM's processor does all the time: it maps, exchanges and unmaps buffers of its devices, has what was there invalidated,
/// and waits. A page that is unmapped must not change until it is mapped again.
/// </summary>
internal sealed class GuestWork
{
    private const int Changes = 8;
    private const ushort FirstDomain = 1;

    /// <summary>One in so many rounds has all of a domain invalidated.</summary>
    private const int WholeDomain = 16;

    private readonly VirtualMachine _vm;
    private readonly GuestDriver _driver;
    private readonly WorkCounters _counters;
    private readonly GuestTables[] _tables;
    private readonly DmaBuffers[] _buffers;
    private readonly Queue<int> _free = new();
    private readonly ulong[] _parked = new ulong[VmLayout.DataPages];
    private readonly Random _random;
    private readonly (int Buffer, int Before, int After)[] _changes = new (int, int, int)[Changes];
    private long _rounds;

    /// <summary>Fills the VM's data, builds its tables and lets its devices translate through them.</summary>
    /// <param name="vm">The VM.</param>
    /// <param name="driver">Its driver.</param>
    /// <param name="counters">Counts what happens.</param>
    public GuestWork(VirtualMachine vm, GuestDriver driver, WorkCounters counters)
    {
        _vm = vm;
        _driver = driver;
        _counters = counters;
        _random = new(vm.Number);
        byte[] content = new byte[GuestPhysicalSpace.PageSize];
        for (int page = 0; page < VmLayout.DataPages; page++)
        {
            Stamp.Fill(content, Stamp.Page(vm.Number, page));
            _parked[page] = Stamp.Token(vm.Number, 0);
            Stamp.Fill(content.AsSpan(Stamp.HalfLength), _parked[page]);
            vm.Memory.Write(vm.Layout.Page(page), content);
            _free.Enqueue(page);
        }

        _tables = new GuestTables[vm.Devices.Count];
        _buffers = new DmaBuffers[vm.Devices.Count];
        for (int device = 0; device < _tables.Length; device++)
        {
            _tables[device] = new(vm.Memory, vm.Layout.Tables + (ulong)device * GuestTables.Length, DmaBuffers.Window);
            _buffers[device] = new();
            vm.Attach(device, _tables[device].Entry(Domain(device)));
            driver.InvalidateEntry(VirtualMachine.VirtualId(device));
            driver.InvalidateDomain(Domain(device));
        }

        driver.Wait();
    }

    /// <summary>What a device's addresses lead to.</summary>
    public DmaBuffers Buffers(int device) => _buffers[device];

    /// <summary>Changes some buffers of one device, with one wait for all of them, and takes the events.</summary>
    public void Round()
    {
        int device = (int)(_rounds++ % _tables.Length);
        DmaBuffers buffers = _buffers[device];
        int first = _random.Next(DmaBuffers.Count);
        for (int i = 0; i < Changes; i++)
        {
            int buffer = (first + i) % DmaBuffers.Count;
            _changes[i] = (buffer, buffers[buffer].Page, Change(buffers[buffer]));
            buffers.Begin(buffer);
            Store(_tables[device], buffer, _changes[i].After);
        }

        Invalidate(device);
        foreach ((int buffer, int before, int after) in _changes)
        {
            buffers.End(buffer, after);
            Park(before);
        }

        _counters.Remaps += Changes;
        _driver.TakeEvents();
        _counters.HostFaults += _vm.TakeHostFaults();
    }

    private static ushort Domain(int device) => (ushort)(FirstDomain + device);

    /// <summary>The page that a buffer leads to next: mostly another one, at times none.</summary>
    private int Change(BufferState now) => now.IsMapped && _random.Next(4) == 0 ? -1 : Take();

    private void Store(GuestTables tables, int buffer, int page)
    {
        if (page < 0)
        {
            tables.Unmap(DmaBuffers.Iova(buffer));
        }
        else
        {
            tables.Map(DmaBuffers.Iova(buffer), _vm.Layout.Page(page));
        }
    }

    private void Invalidate(int device)
    {
        if (_random.Next(WholeDomain) == 0)
        {
            _driver.InvalidateDomain(Domain(device));
        }
        else
        {
            foreach ((int buffer, int before, _) in _changes)
            {
                if (before >= 0)
                {
                    _driver.InvalidatePage(Domain(device), DmaBuffers.Iova(buffer));
                }
            }
        }

        _driver.Wait();
    }

    /// <summary>Takes the page that has been free for longest; it must hold what it held when it became free.</summary>
    private int Take()
    {
        int page = _free.Dequeue();
        _counters.StaleWrites += Token(page) == _parked[page] ? 0 : 1;
        return page;
    }

    /// <summary>Nothing leads to a page any more.</summary>
    private void Park(int page)
    {
        if (page >= 0)
        {
            _parked[page] = Token(page);
            _free.Enqueue(page);
        }
    }

    private ulong Token(int page) => _vm.Memory.Load(_vm.Layout.Page(page) + Stamp.HalfLength);
}
