using FastNest.Amd;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Machine;

/// <summary>
/// A machine of 16 MiB with an IOMMU, a device table, rings, and space for page tables: software's side of the tests.
/// Constructed as reset; <see cref="Start"/> does what a driver does.
/// </summary>
public sealed class TestMachine : IDisposable
{
    public const ulong RamSize = 16 << 20;
    public const ulong DeviceTable = 0x20_0000;
    public const ulong CommandRing = 0x40_0000;
    public const ulong EventRing = 0x48_0000;
    public const ulong Semaphore = 0x50_0000;
    public const ulong FirstTable = 0x60_0000;

    /// <summary>No memory is here.</summary>
    public const ulong Hole = 0x4000_0000;

    private ulong _nextTable = FirstTable;
    private ulong _ticket;
    private TranslationPort? _port;

    public TestMachine(ulong efr = Mmio.BuiltEfr, ulong efr2 = 0, bool irtCacheDisable = false, bool guestBuffer = false)
        : this(RamSize, new AmdIommuOptions { Features = new(efr, efr2, irtCacheDisable, guestBuffer) })
    {
    }

    /// <summary>A machine with other memory and another IOMMU, whose interrupts are kept all the same.</summary>
    public TestMachine(ulong ramSize, AmdIommuOptions options)
    {
        Ram = Memory.AddOwned(0, ramSize);
        Iommu = new(Memory, options with { Interrupt = Interrupts.Add });
    }

    public GuestPhysicalSpace Memory { get; } = new();

    public MemoryRegion Ram { get; }

    public AmdIommu Iommu { get; }

    public List<IommuInterrupt> Interrupts { get; } = [];

    public CacheOptions Caches { get; set; } = new();

    /// <summary>The port of the tests that need only one.</summary>
    public TranslationPort Port => _port ??= Iommu.OpenPort(Caches);

    public ulong Status => Read(Mmio.Status);

    public void Dispose()
    {
        _port?.Dispose();
        Memory.Dispose();
    }

    public ulong Peek(ulong address)
    {
        Assert.Equal(MemoryStatus.Ok, Memory.Load64(address, out ulong value));
        return value;
    }

    public void Poke(ulong address, ulong value) => Assert.Equal(MemoryStatus.Ok, Memory.Store64(address, value));

    public ulong Read(ulong offset, int size = 8) => Iommu.Read(offset, size);

    public void Write(ulong offset, ulong value, int size = 8) => Iommu.Write(offset, size, value);

    /// <summary>Sets up the table, both rings (codes as given) and enables everything.</summary>
    public TestMachine Start(ulong control = 0, int commandCode = 9, int eventCode = 9, ulong tableSize = 0x1FF)
    {
        Write(Mmio.DeviceTableBase, DeviceTable | tableSize);
        Write(Mmio.CommandBase, CommandRing | (ulong)commandCode << 56);
        Write(Mmio.EventBase, EventRing | (ulong)eventCode << 56);
        Write(Mmio.Control, Mmio.CmdBufEn | Mmio.EventLogEn | Mmio.IommuEn | control);
        return this;
    }

    public ulong NewTable()
    {
        _nextTable += 0x1000;
        return _nextTable - 0x1000;
    }

    public void SetDte(uint device, ulong low, ulong domainWord = 0, ulong word2 = 0, ulong word3 = 0)
    {
        ulong at = DeviceTable + device * 32;
        Poke(at + 8, domainWord);
        Poke(at + 16, word2);
        Poke(at + 24, word3);
        Poke(at, low);
    }

    /// <summary>Puts an entry at a level for an address, making the tables above it as needed, none skipped.</summary>
    /// <returns>The entry's address.</returns>
    public ulong SetEntry(ulong root, int mode, ulong iova, int level, ulong entry)
    {
        ulong table = root;
        for (int at = mode; at > level; at--)
        {
            ulong slot = Bits.Slot(table, at, iova);
            if ((Peek(slot) & Bits.PR) == 0)
            {
                Poke(slot, Bits.Pde(NewTable(), at - 1));
            }

            table = Peek(slot) & 0xF_FFFF_FFFF_F000;
        }

        ulong leaf = Bits.Slot(table, level, iova);
        Poke(leaf, entry);
        return leaf;
    }

    /// <summary>Maps one 4 KiB page.</summary>
    public ulong Map(ulong root, int mode, ulong iova, ulong page, ulong rights = Bits.IR | Bits.IW) =>
        SetEntry(root, mode, iova, 1, Bits.Pte(page, rights));

    public TranslationResult Translate(uint device, ulong iova, Access access = Access.Read) =>
        Port.Translate(new TranslationRequest(new(device), iova, access));

    /// <summary>Appends commands behind the tail without ringing the bell.</summary>
    public ulong Queue(params (ulong Low, ulong High)[] commands)
    {
        ulong basis = Read(Mmio.CommandBase);
        ulong length = 16UL << (int)(basis >> 56 & 15);
        ulong tail = Read(Mmio.CommandTail);
        foreach ((ulong low, ulong high) in commands)
        {
            Poke((basis & 0xF_FFFF_FFFF_F000) + tail, low);
            Poke((basis & 0xF_FFFF_FFFF_F000) + tail + 8, high);
            tail = (tail + 16) % length;
        }

        return tail;
    }

    public void Send(params (ulong Low, ulong High)[] commands) => Write(Mmio.CommandTail, Queue(commands), 4);

    /// <summary>Sends commands and a COMPLETION_WAIT, whose store must have come.</summary>
    public void SendAndWait(params (ulong Low, ulong High)[] commands)
    {
        Send([.. commands, Bits.StoreWait(Semaphore, ++_ticket)]);
        Assert.Equal(_ticket, Peek(Semaphore));
    }

    /// <summary>Takes every event out of the log, moving its head.</summary>
    public List<(ulong Low, ulong High)> DrainEvents()
    {
        var events = new List<(ulong, ulong)>();
        ulong basis = Read(Mmio.EventBase);
        ulong length = 16UL << (int)(basis >> 56 & 15);
        ulong head = Read(Mmio.EventHead);
        while (head != Read(Mmio.EventTail))
        {
            ulong at = (basis & 0xF_FFFF_FFFF_F000) + head;
            events.Add((Peek(at), Peek(at + 8)));
            head = (head + 16) % length;
        }

        Write(Mmio.EventHead, head, 4);
        return events;
    }

    public (ulong Low, ulong High) OnlyEvent() => Assert.Single(DrainEvents());
}
