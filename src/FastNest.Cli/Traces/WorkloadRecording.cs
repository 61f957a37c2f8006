using FastNest.Cli.Replays;
using FastNest.Memory;
using FastNest.Requests;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>
/// Records a driver and devices of which every choice follows from a seed: pages are mapped and unmapped, invalidated and waited
/// for as the architecture asks, and devices ask for what is mapped and for what is not. All strategies must agree on it.
/// </summary>
internal sealed class WorkloadRecording : IDisposable
{
    private const ulong MemoryLength = 32 << 20;
    private const ulong DeviceTableBase = 0x0000;
    private const ulong DeviceTable = 0x1000;
    private const ulong CommandRing = 0x2000;
    private const ulong EventRing = 0x3000;
    private const ulong Semaphore = 0x4000;
    private const ulong FirstTable = 0x10_0000;
    private const ulong Data = 16 << 20;
    private const ulong RingMask = 0xFFF;
    private const ulong RingCode = 8UL << 56;
    private const ulong EventLogEn = 1 << 2;
    private const ulong GTEn = 1 << 16;
    private const ulong Control = DriverRegister.IommuEn | EventLogEn | DriverRegister.CmdBufEn | GTEn;
    private const ulong EventOverflow = 1;
    private const int Hosts = 2;
    private const int Guests = 2;
    private const int Ports = 2;
    private const int LargestBatch = 96;
    private const int HashInterval = 256;

    private readonly GuestPhysicalSpace _memory = new();
    private readonly RecordedMachine _machine;
    private readonly RecordedPort[] _ports;
    private readonly WorkloadSpace[] _spaces;
    private readonly Random _random;
    private readonly TranslationRequest[] _requests = new TranslationRequest[LargestBatch];
    private readonly TranslationResult[] _answers = new TranslationResult[LargestBatch];
    private readonly ulong[] _iovas = new ulong[LargestBatch];
    private ulong _nextTable = FirstTable;
    private ulong _tail;
    private ulong _ticket;

    public WorkloadRecording(Stream stream, int seed)
    {
        _random = new(seed);
        _memory.AddOwned(0, MemoryLength);
        _machine = new(stream, _memory);
        _spaces = [.. Enumerable.Range(0, Hosts).Select(AddHost), .. AddGuests()];
        _machine.Iommu.Write(DeviceTableBase, 8, DeviceTable);
        _machine.Iommu.Write(DriverRegister.CommandBase, 8, CommandRing | RingCode);
        _machine.Iommu.Write(DriverRegister.EventBase, 8, EventRing | RingCode);
        _machine.Iommu.Write(DriverRegister.Control, 8, Control);
        _ports = [.. Enumerable.Range(0, Ports).Select(_ => _machine.OpenPort())];
    }

    public RecordReport Run(int steps, string path)
    {
        for (int step = 1; step <= steps; step++)
        {
            Step();
            if (step % HashInterval == 0)
            {
                _machine.HashMemory(0, Data);
            }
        }

        _machine.HashMemory();
        _machine.Dispose();
        return RecordReport.Of(path, "workload", _machine);
    }

    public void Dispose()
    {
        _machine.Dispose();
        Array.ForEach(_ports, static port => port.Dispose());
        _memory.Dispose();
    }

    private void Step()
    {
        Action does = _random.Next(16) switch
        {
            < 8 => AskMixed,
            < 11 => AskBound,
            < 14 => Change,
            14 => TakeEvents,
            _ => Transfer,
        };
        does();
    }

    private void AskMixed()
    {
        int count = _random.Next(3) == 0 ? 1 : 1 + _random.Next(LargestBatch);
        for (int i = 0; i < count; i++)
        {
            Requester requester = Space().Requester;
            _requests[i] = _random.Next(64) == 0
                ? new(new DeviceId((uint)_random.Next(256)), Iova(), Access.Read)
                : requester.Request(Iova(), Kind());
        }

        Port().Translate(_requests.AsSpan(0, count), _answers);
    }

    private void AskBound()
    {
        int count = 1 + _random.Next(LargestBatch);
        for (int i = 0; i < count; i++)
        {
            _iovas[i] = Iova();
        }

        Port().Translate(Space().Requester, _iovas.AsSpan(0, count), Kind(), _answers);
    }

    private void Change()
    {
        WorkloadSpace space = Space();
        for (int changes = 1 + _random.Next(8); changes > 0; changes--)
        {
            int slot = _random.Next(WorkloadSpace.Slots);
            if (_random.Next(4) == 0)
            {
                space.Unmap(slot);
            }
            else
            {
                MapSomewhere(space, slot);
            }

            Send(space.Invalidation(slot));
        }

        Send((1UL << 60 | Semaphore | 1, ++_ticket)); // COMPLETION_WAIT with a store.
        _machine.Iommu.Write(DriverRegister.CommandTail, 4, _tail);
    }

    private void Send((ulong Low, ulong High) command)
    {
        _machine.Memory.Store64(CommandRing + _tail, command.Low);
        _machine.Memory.Store64(CommandRing + _tail + 8, command.High);
        _tail = (_tail + 16) & RingMask;
    }

    private void TakeEvents()
    {
        _machine.Iommu.Write(DriverRegister.EventHead, 4, _machine.Iommu.Read(DriverRegister.EventTail, 4));
        if ((_machine.Iommu.Read(DriverRegister.Status, 8) & EventOverflow) != 0)
        {
            _machine.Iommu.Write(DriverRegister.Control, 8, Control & ~EventLogEn);
            _machine.Iommu.Write(DriverRegister.Status, 8, EventOverflow);
            _machine.Iommu.Write(DriverRegister.Control, 8, Control);
        }
    }

    private void Transfer()
    {
        byte[] content = new byte[1 + _random.Next(_random.Next(16) == 0 ? 6000 : 300)];
        _random.NextBytes(content);
        _ = _random.Next(2) == 0
            ? Port().Write(Space().Requester, Iova(), content)
            : Port().Read(Space().Requester, Iova(), content);
    }

    private WorkloadSpace Space() => _spaces[_random.Next(_spaces.Length)];

    private RecordedPort Port() => _ports[_random.Next(_ports.Length)];

    private Access Kind() => _random.Next(4) switch { 0 => Access.Write, 1 => Access.ReadWrite, _ => Access.Read };

    private ulong Iova()
    {
        int slot = _random.Next(WorkloadSpace.Slots);
        return WorkloadSpace.Iova(slot) + (ulong)_random.NextInt64(1L << WorkloadSpace.Shift(slot));
    }

    private ulong TakeTable()
    {
        _nextTable += GuestPhysicalSpace.PageSize;
        return _nextTable - GuestPhysicalSpace.PageSize;
    }

    private WorkloadSpace AddHost(int number)
    {
        ulong root = TakeTable();
        var device = new DeviceId(0x10 + (uint)number);
        ushort domain = (ushort)(1 + number);
        Attach(device, root, domain, 0);
        return Fill(new(_machine.Memory, TakeTable, new(device), domain, root));
    }

    /// <summary>Devices whose guests have memory one to one.</summary>
    private IEnumerable<WorkloadSpace> AddGuests()
    {
        ulong host = TakeTable();
        ulong third = TakeTable();
        ulong second = TakeTable();
        _machine.Memory.Store64(host, third | 3UL << 9 | WorkloadSpace.HostBits);
        _machine.Memory.Store64(third, second | 2UL << 9 | WorkloadSpace.HostBits);
        for (ulong at = 0; at < MemoryLength; at += 2 << 20)
        {
            _machine.Memory.Store64(second + (at >> 21) * 8, at | WorkloadSpace.HostBits);
        }

        for (uint guest = 0; guest < Guests; guest++)
        {
            ulong gcr3 = TakeTable();
            var device = new DeviceId(0x18 + guest);
            ushort domain = (ushort)(1 + Hosts + guest);
            Attach(device, host, domain, gcr3);
            for (uint pasid = 1; pasid <= 2; pasid++)
            {
                ulong root = TakeTable();
                _machine.Memory.Store64(gcr3 + pasid * 8, root | 1);
                yield return Fill(new(_machine.Memory, TakeTable, new(device, pasid), domain, root));
            }
        }
    }

    private void Attach(DeviceId device, ulong root, ushort domain, ulong gcr3)
    {
        ulong at = DeviceTable + device.Value * 32;
        ulong guest = gcr3 == 0 ? 0 : 1UL << 55 | (gcr3 >> 12 & 7) << 58;
        _machine.Memory.Store64(at + 8, domain | (gcr3 >> 15 & 0xFFFF) << 16 | gcr3 >> 31 << 43);
        _machine.Memory.Store64(at, root | WorkloadSpace.HostBits | WorkloadSpace.Levels << 9 | 2 | guest);
    }

    private WorkloadSpace Fill(WorkloadSpace space)
    {
        for (int slot = 0; slot < WorkloadSpace.Slots; slot++)
        {
            if (_random.Next(8) != 0)
            {
                MapSomewhere(space, slot);
            }
        }

        return space;
    }

    private void MapSomewhere(WorkloadSpace space, int slot)
    {
        int shift = WorkloadSpace.Shift(slot);
        space.Map(slot, Data + ((ulong)_random.Next((int)((MemoryLength - Data) >> shift)) << shift));
    }
}
