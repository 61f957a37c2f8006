using FastNest.Amd;
using FastNest.Amd.Pprs;
using FastNest.Amd.Viommu;
using FastNest.Engine;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Tests.Machine;

/// <summary>
/// A host whose IOMMU serves guests, as its driver sets it up (digest sections 8.5 to 8.9): 64 MiB, the private address space
/// mapped as guests are added, and each guest's memory behind a host table.
/// </summary>
internal sealed class GuestMachine : IDisposable
{
    public const ulong RamSize = 64 << 20;
    public const ulong DeviceTable = TestMachine.DeviceTable;

    private const ulong PprRing = 0x4C_0000;

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

    private readonly TestMachine _machine;
    private readonly ulong _privateRoot;
    private ulong _nextGuest = 0x200_0000;

    public GuestMachine(int turn = 512, IommuFeatures? features = null, Func<DeviceTlbInvalidation, bool>? deviceTlb = null)
    {
        _machine = new(RamSize, new AmdIommuOptions
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
        Write(Mmio.PprBase, PprRing | 9UL << 56);
        _machine.Start(On);
    }

    public GuestPhysicalSpace Memory => _machine.Memory;

    public AmdIommu Iommu => _machine.Iommu;

    public ViommuHardware Viommu => Iommu.Viommu!;

    public List<GuestInterrupt> Interrupts { get; } = [];

    public List<PageResponse> Responses { get; } = [];

    public List<DeviceTlbInvalidation> DeviceTlbs { get; } = [];

    public TranslationPort Port => _machine.Port;

    public void Dispose() => _machine.Dispose();

    public ulong Peek(ulong address) => _machine.Peek(address);

    public void Poke(ulong address, ulong value) => _machine.Poke(address, value);

    public ulong Read(ulong offset, int size = 8) => _machine.Read(offset, size);

    public void Write(ulong offset, ulong value, int size = 8) => _machine.Write(offset, value, size);

    public ulong NewTable() => _machine.NewTable();

    public void SetDte(uint device, ulong low, ulong domainWord = 0, ulong word2 = 0, ulong word3 = 0) =>
        _machine.SetDte(device, low, domainWord, word2, word3);

    /// <summary>Maps one 4 KiB page in a host table of five levels.</summary>
    public void Map(ulong root, ulong address, ulong page, ulong rights = Bits.IR | Bits.IW) =>
        _machine.SetEntry(root, 5, address, 1, page == 0 ? 0 : Bits.Pte(page, rights));

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

    public TranslationResult Translate(uint device, ulong iova, Access access = Access.Read) => _machine.Translate(device, iova, access);

    /// <summary>Host commands, and a COMPLETION_WAIT whose store must have come.</summary>
    public void Send(params (ulong Low, ulong High)[] commands) => _machine.SendAndWait(commands);

    /// <summary>Takes every event out of the host's log.</summary>
    public List<(ulong Low, ulong High)> DrainEvents() => _machine.DrainEvents();
}
