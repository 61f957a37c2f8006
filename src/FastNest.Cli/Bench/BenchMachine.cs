using FastNest.Amd;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>
/// A machine with devices of equal shares of pages: four-level guest tables of 4 KiB pages over a four-level host table of
/// 4 KiB pages, or the host table alone, all tables scattered over memory by a fixed shuffle.
/// </summary>
internal sealed class BenchMachine : IDisposable
{
    public const int Levels = 4;
    public const ulong Base = 0x10_0000_0000;

    /// <summary>Room for 32,768 commands.</summary>
    public const ulong CommandRing = 0x8_0000;

    /// <summary>Where completions are stored.</summary>
    public const ulong Semaphore = 0x7_F000;

    private const ulong DeviceTable = 0x1000;
    private const ulong FirstTable = 0x10_0000;
    private const ulong GuestPages = 1UL << 34;
    private const ulong HostEntryBits = 3UL << 61 | 1;
    private const ulong GuestEntryBits = 0x67;
    private const ulong GuestLargeBit = 1 << 7;
    private const ulong AddressMask = 0xF_FFFF_FFFF_F000;

    private const int RunPages = 512;

    private readonly ulong[] _guestRoots;
    private readonly PageSizes _sizes;
    private readonly NativeBlock _owner;
    private readonly Stack<ulong> _freeTables = new();

    /// <param name="pages">Pages of 4 KiB of all devices together.</param>
    /// <param name="devices">How many devices share them, each with its domain and its PASID.</param>
    /// <param name="isNested">Whether there are guest tables.</param>
    /// <param name="sizes">How large pages are; other than small only for shares of whole 2 MiB.</param>
    public BenchMachine(int pages, int devices, bool isNested, PageSizes sizes = PageSizes.Small)
    {
        _sizes = sizes;
        Pages = pages;
        Devices = devices;
        IsNested = isNested;
        PagesPerDevice = pages / devices;
        _guestRoots = new ulong[devices];
        int tables = 2 * (pages / 512) + devices * 16 + 64;
        ulong length = (FirstTable + 4 * (ulong)tables * 4096 + (2UL << 20)) & ~((2UL << 20) - 1);
        _owner = new(length);
        Memory.AddBorrowed(0, _owner.Start, length);
        Shuffle(length);
        HostRoot = Take();
        for (int device = 0; device < devices; device++)
        {
            Connect(device);
        }

        Iommu = new(Memory);
        Iommu.Write(0x0000, 8, DeviceTable);
        Iommu.Write(0x0018, 8, 1 | 1UL << 16 | 1UL << 48 | 1UL << 54 | 1UL << 58);
    }

    public GuestPhysicalSpace Memory { get; } = new();

    public AmdIommu Iommu { get; }

    public int Pages { get; }

    public int Devices { get; }

    public int PagesPerDevice { get; }

    public bool IsNested { get; }

    public ulong HostRoot { get; }

    /// <summary>The top table of the first device's guest table.</summary>
    public ulong GuestRoot => GuestRootOf(0);

    /// <summary>The top table of a device's guest table.</summary>
    public ulong GuestRootOf(int device) => _guestRoots[device];

    /// <summary>Host memory of physical address 0.</summary>
    public nint Host => _owner.Start;

    public Requester Requester(int device) => new(new DeviceId((uint)device + 8), IsNested ? 1 : null);

    /// <summary>The address of a page.</summary>
    public ulong Iova(int page) => Base + ((ulong)(page % PagesPerDevice) << 12);

    /// <summary>The table of level 1 that an address leads to from a top table of either stage: tables are one to one in guest memory.</summary>
    public ulong LowestTable(ulong root, ulong address)
    {
        ulong table = root;
        for (int level = Levels; level > 1; level--)
        {
            Memory.Load64(table + Index(address, level), out ulong entry);
            table = entry & AddressMask;
        }

        return table;
    }

    /// <summary>Where the entry of a page of the first device's guest table stands.</summary>
    public ulong GuestLeaf(ulong iova) => LowestTable(GuestRoot, iova) + Index(iova, 1);

    public void Dispose()
    {
        Memory.Dispose();
        _owner.Dispose();
    }

    private void Connect(int device)
    {
        ulong gcr3 = 0;
        ulong guestRoot = 0;
        if (IsNested)
        {
            guestRoot = Take();
            gcr3 = Take();
            MapHost(gcr3, gcr3);
            MapHost(guestRoot, guestRoot);
            Memory.Store64(gcr3 + 8, guestRoot | 1);
            _guestRoots[device] = guestRoot;
        }

        for (int page = 0; page < PagesPerDevice; page++)
        {
            Connect(device, page, guestRoot);
        }

        ulong entry = DeviceTable + ((ulong)device + 8) * 32;
        Memory.Store64(entry + 8, (ulong)device + 1 | (gcr3 >> 15 & 0xFFFF) << 16 | gcr3 >> 31 << 43);
        Memory.Store64(
            entry, HostRoot | 3UL << 61 | (gcr3 >> 12 & 7) << 58 | (IsNested ? 1UL << 55 : 0) | (ulong)Levels << 9 | 3);
    }

    private void Connect(int device, int page, ulong guestRoot)
    {
        int first = device * PagesPerDevice;
        ulong address = Base + ((ulong)page << 12);
        ulong output = (1UL << 40) + ((ulong)(first + page) << 12);
        if (!IsNested)
        {
            MapRun(page, IsLarge(page, 1), Base + ((ulong)(first + page) << 12), output, HostRoot, inGuest: false);
            return;
        }

        ulong guestPage = GuestPages + ((ulong)(first + Shuffled(page)) << 12);
        MapRun(page, IsLarge(page, 1), address, guestPage, guestRoot, inGuest: true);
        MapRun(page, IsLarge(page, 2), guestPage, output, HostRoot, inGuest: false);
    }

    /// <summary>Guest pages are not in the order of addresses, as they are not in a guest that has run for a while.</summary>
    private int Shuffled(int page)
    {
        const uint factor = 0x9E3B;
        if (_sizes == PageSizes.Small)
        {
            return (int)((uint)page * factor & (uint)(PagesPerDevice - 1));
        }

        uint run = (uint)(page / RunPages) * factor & (uint)((PagesPerDevice / RunPages) - 1);
        return (int)run * RunPages + page % RunPages;
    }

    private bool IsLarge(int page, int bit) => _sizes switch
    {
        PageSizes.Small => false,
        PageSizes.Large => true,
        _ => (page / RunPages & bit) != 0,
    };

    /// <summary>Maps a page, or at the first page of a run that is large all of it.</summary>
    private void MapRun(int page, bool isLarge, ulong address, ulong output, ulong root, bool inGuest)
    {
        ulong bits = inGuest ? GuestEntryBits | (isLarge ? GuestLargeBit : 0) : HostEntryBits;
        if (!isLarge)
        {
            Map(root, address, output | bits, inGuest, leafLevel: 1);
        }
        else if (page % RunPages == 0)
        {
            Map(root, address, output | bits, inGuest, leafLevel: 2);
        }
    }

    private void Shuffle(ulong length)
    {
        ulong[] tables = [.. Enumerable.Range(0, (int)((length - FirstTable) / 4096)).Select(i => FirstTable + (ulong)i * 4096)];
        new Random(1).Shuffle(tables);
        foreach (ulong table in tables)
        {
            _freeTables.Push(table);
        }
    }

    private ulong Take() => _freeTables.Pop();

    private void MapHost(ulong address, ulong page) => Map(HostRoot, address, page | HostEntryBits, inGuest: false, leafLevel: 1);

    private void Map(ulong table, ulong address, ulong leaf, bool inGuest, int leafLevel)
    {
        for (int level = Levels; level > leafLevel; level--)
        {
            ulong at = table + Index(address, level);
            Memory.Load64(at, out ulong entry);
            if (entry == 0)
            {
                ulong next = Take();
                entry = next | (inGuest ? GuestEntryBits : (ulong)(level - 1) << 9 | HostEntryBits);
                Memory.Store64(at, entry);
                if (inGuest)
                {
                    MapHost(next, next);
                }
            }

            table = entry & AddressMask;
        }

        Memory.Store64(table + Index(address, leafLevel), leaf);
    }

    private static ulong Index(ulong address, int level) => (address >> (3 + 9 * level) & 511) * 8;
}
