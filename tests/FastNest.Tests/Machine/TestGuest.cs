using FastNest.Amd.Viommu;
using Xunit;

namespace FastNest.Tests.Machine;

/// <summary>One guest of a <see cref="GuestMachine"/>: 256 KiB of its own, its rings, and both sides' view of its registers.</summary>
internal sealed class TestGuest
{
    public const ulong MemorySize = 0x4_0000;

    // Guest physical addresses.
    public const ulong CommandRing = 0x0_0000;
    public const ulong EventRing = 0x1_0000;
    public const ulong PprRing = 0x2_0000;
    public const ulong Semaphore = 0x3_0000;
    public const ulong FirstTable = 0x3_4000;

    private const int Code = 8;
    private const ulong RingMask = (16UL << Code) - 1;

    private readonly GuestMachine _machine;
    private readonly ulong _vf;
    private readonly ulong _control;
    private ulong _ticket;

    public TestGuest(GuestMachine machine, ushort id, uint translateDevice, ulong root, ulong memory, ulong devIds, ulong domIds)
    {
        _machine = machine;
        Id = id;
        Root = root;
        HostMemory = memory;
        DevIds = devIds;
        DomIds = domIds;
        TranslateDevice = translateDevice;
        _vf = (ulong)id << 12;
        _control = (ulong)id << 6;
        Mmio = machine.Viommu.OpenGuestMmio(id);
    }

    public ushort Id { get; }

    /// <summary>The host table of its memory.</summary>
    public ulong Root { get; }

    /// <summary>Where its address 0 stands in the host's memory.</summary>
    public ulong HostMemory { get; }

    /// <summary>Where the first page of its DevID table stands.</summary>
    public ulong DevIds { get; }

    /// <summary>Where the first page of its DomID table stands.</summary>
    public ulong DomIds { get; }

    public uint TranslateDevice { get; }

    public GuestMmio Mmio { get; }

    public ulong Status => Read(0x20);

    /// <summary>The host's VFCNTL registers and the guest's driver, all on.</summary>
    public TestGuest Start()
    {
        WriteControl(0x10, (ulong)TranslateDevice << 16);
        Mmio.Write(0x0008, 8, CommandRing | (ulong)Code << 56);
        Mmio.Write(0x0010, 8, EventRing | (ulong)Code << 56);
        Mmio.Write(0x0038, 8, PprRing | (ulong)Code << 56);
        Mmio.Write(0x0018, 8, 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 12 | 7 << 13);
        return this;
    }

    public ulong Peek(ulong address) => _machine.Peek(HostMemory + Own(address));

    public void Poke(ulong address, ulong value) => _machine.Poke(HostMemory + Own(address), value);

    /// <summary>Reads the VF page, at an offset in it.</summary>
    public ulong Read(ulong offset, int size = 8) => _machine.Viommu.VfMmio.Read(_vf + offset, size);

    public void Write(ulong offset, ulong value, int size = 8) => _machine.Viommu.VfMmio.Write(_vf + offset, size, value);

    public ulong ReadControl(ulong offset, int size = 8) => _machine.Viommu.VfControl.Read(_control + offset, size);

    public void WriteControl(ulong offset, ulong value, int size = 8) => _machine.Viommu.VfControl.Write(_control + offset, size, value);

    public void MapDevice(ushort guest, ushort host, bool valid = true) => WriteControl(0x00, MapWord(guest, host, valid));

    public void MapDomain(ushort guest, ushort host, bool valid = true) => WriteControl(0x08, MapWord(guest, host, valid));

    public static ulong MapWord(ushort guest, ushort host, bool valid) =>
        1UL << 63 | (ulong)guest << 46 | (ulong)host << 14 | (valid ? 1UL : 0);

    /// <summary>Writes commands behind the tail without ringing the bell.</summary>
    /// <returns>The tail after them.</returns>
    public ulong Queue(params (ulong Low, ulong High)[] commands)
    {
        ulong tail = Read(0x08);
        foreach ((ulong low, ulong high) in commands)
        {
            Poke(CommandRing + tail, low);
            Poke(CommandRing + tail + 8, high);
            tail = (tail + 16) & RingMask;
        }

        return tail;
    }

    public void Send(params (ulong Low, ulong High)[] commands) => Write(0x08, Queue(commands), 4);

    public void SendAndWait(params (ulong Low, ulong High)[] commands)
    {
        Send([.. commands, Bits.StoreWait(Semaphore, ++_ticket)]);
        Assert.Equal(_ticket, Peek(Semaphore));
    }

    public List<(ulong Low, ulong High)> DrainEvents() => Drain(EventRing, 0x10, 0x18);

    public List<(ulong Low, ulong High)> DrainPprs() => Drain(PprRing, 0x30, 0x38);

    private List<(ulong Low, ulong High)> Drain(ulong ring, ulong headRegister, ulong tailRegister)
    {
        var entries = new List<(ulong, ulong)>();
        ulong head = Read(headRegister);
        for (; head != Read(tailRegister); head = (head + 16) & RingMask)
        {
            entries.Add((Peek(ring + head), Peek(ring + head + 8)));
        }

        Write(headRegister, head, 4);
        return entries;
    }

    /// <summary>What lies behind a guest's memory is another's.</summary>
    private static ulong Own(ulong address)
    {
        Assert.InRange(address, 0UL, MemorySize - 8);
        return address;
    }
}
