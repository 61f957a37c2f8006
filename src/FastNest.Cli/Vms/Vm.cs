using FastNest.Iommufd;
using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>
/// A VM as its VMM has it: memory, a vIOMMU with a device, and the trap handler for its registers. One thread but where said.
/// </summary>
internal sealed class Vm
{
    private const uint AmdViommu = 3;
    private const uint AmdGuestDte = 3;
    private const ulong VfPage = 0x2000;
    private const ulong PageMask = 0xFFF;
    private const ulong Poison = 0xDEAD_DEAD_DEAD_DEAD;
    private const int CopyBytes = 1 << 16;

    /// <summary>What hardware queues are for: the type, the register that tells where, and the bit of Control that turns it on.</summary>
    private static readonly (uint Type, ulong Base, int Enable)[] s_queues = [(2, 0x08, 12), (3, 0x10, 2), (4, 0x38, 13)];

    private readonly VmHost _host;
    private readonly Ioas _ioas;
    private readonly Hwpt _parent;
    private readonly ViommuMapping _page;
    private readonly ulong[] _places = new ulong[VmHost.Pieces];
    private readonly Queue<ulong> _spare;
    private readonly List<IommufdObject> _queues = [];
    private readonly List<Hwpt> _nested = [];
    private readonly byte[] _copy = new byte[CopyBytes];
    private long _moves;

    public Vm(VmHost host, int number, Device device, IEnumerable<ulong> places)
    {
        _host = host;
        Number = number;
        Device = device;
        _spare = new(places);
        _ioas = host.CreateIoas();
        for (int piece = 0; piece < VmHost.Pieces; piece++)
        {
            _places[piece] = _spare.Dequeue();
            VmHost.Map(_ioas, (ulong)piece * VmHost.PieceSize, _places[piece]);
        }

        foreach (ulong place in _spare)
        {
            Fill(place);
        }

        IommufdContext context = device.Context;
        _parent = context.AllocateHwpt(device.Id, _ioas.Id, HwptOptions.NestParent);
        Viommu = context.AllocateViommu(AmdViommu, device.Id, _parent.Id);
        _page = context.Map(Viommu.MmapOffset, Viommu.MmapLength);
        context.AllocateVdevice(Viommu.Id, device.Id, VirtualDevice);
    }

    /// <summary>The VM's number of its device.</summary>
    public const uint VirtualDevice = 0x10;

    public int Number { get; }

    public Device Device { get; }

    public Viommu Viommu { get; }

    /// <summary>How many accesses to registers were trapped.</summary>
    public long Traps { get; private set; }

    /// <summary>Odd while a piece of memory is on its way; any thread.</summary>
    public long Moves => Volatile.Read(ref _moves);

    /// <summary>What was found written where no memory of the VM's is any more.</summary>
    public long LateWrites { get; private set; }

    /// <summary>The VM reads a register: the page at 2000h without a trap, the others by the handler.</summary>
    public ulong Read(ulong offset, int size)
    {
        if ((offset & ~PageMask) == VfPage)
        {
            return _page.Read(offset & PageMask, size);
        }

        Traps++;
        return Viommu.Read(offset, size);
    }

    /// <summary>The VM writes a register. Rings are handed to the hardware when the VM turns them on.</summary>
    public void Write(ulong offset, int size, ulong value)
    {
        if ((offset & ~PageMask) == VfPage)
        {
            _page.Write(offset & PageMask, size, value);
            return;
        }

        Traps++;
        if (offset == GuestRegister.Control && _queues.Count == 0)
        {
            HandOver(value);
        }

        Viommu.Write(offset, size, value);
    }

    /// <summary>The VM has written an entry of its device table, which its VMM sees.</summary>
    public void Attach(ReadOnlyMemory<byte> guestDte)
    {
        Hwpt nested = Device.Context.AllocateHwpt(Device.Id, Viommu.Id, HwptOptions.None, AmdGuestDte, guestDte);
        if (_nested.Count == 0)
        {
            Device.Attach(nested.Id);
        }
        else
        {
            Device.Replace(nested.Id);
        }

        _nested.Add(nested);
    }

    public ulong Load(ulong address)
    {
        _host.Memory.Load64(PhysicalOf(address), out ulong value);
        return value;
    }

    public void Store(ulong address, ulong value) => _host.Memory.Store64(PhysicalOf(address), value);

    /// <summary>
    /// Moves a piece of the VM's memory to another place under its devices: what they do meanwhile is refused, and what they do
    /// later must not be seen at the place of before.
    /// </summary>
    public void Move(int piece)
    {
        ulong guest = (ulong)piece * VmHost.PieceSize;
        ulong before = _places[piece];
        ulong after = _spare.Dequeue();
        LateWrites += Count(after);
        Volatile.Write(ref _moves, _moves + 1);
        _ioas.Unmap(guest, VmHost.PieceSize);
        for (ulong done = 0; done < VmHost.PieceSize; done += CopyBytes)
        {
            _host.Memory.Read(before + done, _copy, out _);
            _host.Memory.Write(after + done, _copy, out _);
        }

        _places[piece] = after;
        VmHost.Map(_ioas, guest, after);
        Volatile.Write(ref _moves, _moves + 1);
        Fill(before);
        _spare.Enqueue(before);
    }

    /// <summary>Takes the VM down; whatever its devices and rings do meanwhile.</summary>
    public void Destroy()
    {
        LateWrites += _spare.Sum(Count);
        IommufdContext context = Device.Context;
        _page.Dispose();
        Device.Unbind();
        foreach (IommufdObject made in _nested.Concat(_queues).Append(Viommu).Append(_parent).Append(_ioas))
        {
            context.Destroy(made.Id);
        }
    }

    private ulong PhysicalOf(ulong address) => _places[address / VmHost.PieceSize] + address % VmHost.PieceSize;

    private void HandOver(ulong control)
    {
        foreach ((uint type, ulong at, int enable) in s_queues)
        {
            ulong value = Viommu.Read(at, sizeof(ulong));
            if ((control >> enable & 1) != 0)
            {
                ulong length = 16UL << (int)(value >> 56 & 15);
                _queues.Add(Device.Context.AllocateHardwareQueue(Viommu.Id, type, 0, value & 0xF_FFFF_FFFF_F000, length));
            }
        }
    }

    private void Fill(ulong place)
    {
        for (ulong at = 0; at < VmHost.PieceSize; at += GuestPhysicalSpace.PageSize)
        {
            _host.Memory.Store64(place + at, Poison);
            _host.Memory.Store64(place + at + sizeof(ulong), Poison);
        }
    }

    private long Count(ulong place)
    {
        long written = 0;
        for (ulong at = 0; at < VmHost.PieceSize; at += GuestPhysicalSpace.PageSize)
        {
            _host.Memory.Load64(place + at + sizeof(ulong), out ulong value);
            written += value == Poison ? 0 : 1;
        }

        return written;
    }
}
