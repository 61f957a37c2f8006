using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;
using Xunit;

namespace FastNest.Tests.Machine;

/// <summary>
/// A host whose IOMMU serves guests, as its driver sets it up (digest sections 8.5 to 8.9): 64 MiB, the private address space
/// mapped as guests are added, and each guest's memory behind a host table.
/// </summary>
internal sealed class GuestMachine : IDisposable
{
    public const ulong RamSize = 64 << 20;
    public const ulong DeviceTable = 0x20_0000;
    public const ulong CommandRing = 0x40_0000;
    public const ulong EventRing = 0x48_0000;
    public const ulong PprRing = 0x4C_0000;
    public const ulong Semaphore = 0x50_0000;
    public const ulong FirstTable = 0x60_0000;

    /// <summary>The IOMMU's own device, and the domain of its table.</summary>
    public const uint IommuDevice = 0x0002;
    public const ushort IommuDomain = 0xFFF0;

    // Private addresses, from the digest.
    public const ulong DirtyStatus = 0x40_0000;
    public const ulong DevIds = 0x10_0000_0000;
    public const ulong DomIds = 0x20_0000_0000;

    // Control
    public const ulong VCmdEn = 1UL << 52;
    public const ulong ViommuEn = 1UL << 53;
    public const ulong GCR3TrpMode = 1UL << 58;
    public const ulong GstBufferTrpMode = 1UL << 60;
    public const ulong On = Mmio.CmdBufEn | Mmio.EventLogEn | Mmio.IommuEn | Mmio.GTEn | Mmio.PprLogEn | 1 << 15
        | VCmdEn | ViommuEn | GCR3TrpMode | GstBufferTrpMode;

    private ulong _nextTable = FirstTable;
    private ulong _nextGuest = 0x200_0000;
    private ulong _ticket;
    private ulong _privateRoot;
    private TranslationPort? _port;

    public GuestMachine(int turn = 512, IommuFeatures? features = null, Func<DeviceTlbInvalidation, bool>? deviceTlb = null)
    {
        Memory.AddOwned(0, RamSize);
        Iommu = new(Memory, new()
        {
            Features = features ?? IommuFeatures.BuiltForGuests,
            PageResponse = Responses.Add,
            InvalidateDeviceTlb = deviceTlb ?? (invalidation =>
            {
                DeviceTlbs.Add(invalidation);
                return true;
            }),
            Viommu = new() { Device = new(IommuDevice), Turn = turn, Interrupt = Interrupts.Add },
        });
        _privateRoot = NewTable();
        SetDte(IommuDevice, Bits.DteLow(_privateRoot, 5), IommuDomain);
        Write(Mmio.DeviceTableBase, DeviceTable | 0x1FF);
        Write(Mmio.CommandBase, CommandRing | 9UL << 56);
        Write(Mmio.EventBase, EventRing | 9UL << 56);
        Write(Mmio.PprBase, PprRing | 9UL << 56);
        Write(Mmio.Control, On);
    }

    public GuestPhysicalSpace Memory { get; } = new();

    public AmdIommu Iommu { get; }

    public ViommuHardware Viommu => Iommu.Viommu!;

    public List<GuestInterrupt> Interrupts { get; } = [];

    public List<PageResponse> Responses { get; } = [];

    public List<DeviceTlbInvalidation> DeviceTlbs { get; } = [];

    public TranslationPort Port => _port ??= Iommu.OpenPort();

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

    /// <summary>Maps one 4 KiB page in a host table of five levels.</summary>
    public void Map(ulong root, ulong address, ulong page, ulong rights = Bits.IR | Bits.IW)
    {
        ulong table = root;
        for (int level = 5; level > 1; level--)
        {
            ulong slot = TestMachine.Slot(table, level, address);
            if ((Peek(slot) & Bits.PR) == 0)
            {
                Poke(slot, Bits.Pde(NewTable(), level - 1));
            }

            table = Peek(slot) & 0xF_FFFF_FFFF_F000;
        }

        Poke(TestMachine.Slot(table, 1, address), page == 0 ? 0 : Bits.Pte(page, rights));
    }

    /// <summary>Backs a page of the private address space.</summary>
    /// <returns>Where it stands in memory.</returns>
    public ulong MapPrivate(ulong address)
    {
        ulong page = NewTable();
        Map(_privateRoot, address, page);
        return page;
    }

    public void UnmapPrivate(ulong address) => Map(_privateRoot, address, 0);

    /// <summary>Adds a guest with memory, id tables for ids below 256 and 512, and rings as its driver and VMM set them up.</summary>
    public TestGuest AddGuest(ushort id, uint translateDevice)
    {
        ulong root = NewTable();
        ulong memory = _nextGuest;
        _nextGuest += TestGuest.MemorySize;
        for (ulong at = 0; at < TestGuest.MemorySize; at += 0x1000)
        {
            Map(root, at, memory + at);
        }

        SetDte(translateDevice, Bits.DteLow(root, 5), (ushort)translateDevice);
        ulong devIds = MapPrivate(DevIds + ((ulong)id << 20));
        ulong domIds = MapPrivate(DomIds + ((ulong)id << 19));
        return new(this, id, translateDevice, root, memory, devIds, domIds);
    }

    public TranslationResult Translate(uint device, ulong iova, Access access = Access.Read) =>
        Port.Translate(new TranslationRequest(new(device), iova, access));

    /// <summary>Host commands, and a COMPLETION_WAIT whose store must have come.</summary>
    public void Send(params (ulong Low, ulong High)[] commands)
    {
        ulong tail = Read(Mmio.CommandTail);
        foreach ((ulong low, ulong high) in commands.Append(Bits.StoreWait(Semaphore, ++_ticket)))
        {
            Poke(CommandRing + tail, low);
            Poke(CommandRing + tail + 8, high);
            tail = (tail + 16) & 0x1FFF;
        }

        Write(Mmio.CommandTail, tail, 4);
        Assert.Equal(_ticket, Peek(Semaphore));
    }

    /// <summary>Takes every event out of the host's log.</summary>
    public List<(ulong Low, ulong High)> DrainEvents()
    {
        var events = new List<(ulong, ulong)>();
        ulong head = Read(Mmio.EventHead);
        for (; head != Read(Mmio.EventTail); head = (head + 16) & 0x1FFF)
        {
            events.Add((Peek(EventRing + head), Peek(EventRing + head + 8)));
        }

        Write(Mmio.EventHead, head, 4);
        return events;
    }
}
