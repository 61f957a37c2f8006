using FastNest.Amd;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Fuzz.Soak;

/// <summary>
/// A machine whose pages carry a version in their output address, so that one look at a translation tells how old it is.
/// Device 00:01.0 uses the host's tables alone; 00:02.0 sends PASID 1, through a guest's tables over the same ones. A page is
/// renewed in the guest's table or in the host's, by number: even ones in the guest's.
/// </summary>
internal sealed class SoakMachine : IDisposable
{
    public const int Pages = 256;

    private const ulong DeviceTable = 0x0001_0000;
    private const ulong CommandRing = 0x0002_0000;
    private const ulong Semaphore = 0x0003_0000;
    private const ulong HostRoot = 0x0010_0000;
    private const ulong GuestRoot = 0x0020_0000;
    private const ulong Gcr3 = 0x0028_0000;
    private const ulong HostWindow = 0x8000_0000;
    private const ulong VersionBase = 1UL << 46;
    private const ulong RingMask = 0x1FFF;
    private const ushort Domain = 7;
    private const uint Pasid = 1;

    private readonly AmdIommu _iommu;
    private readonly Lock _ring = new();
    private ulong _tail;
    private ulong _waits;

    public SoakMachine()
    {
        Memory.AddOwned(0, 16 << 20);
        BuildTables();
        _iommu = new(Memory);
        _iommu.Write(0x0000, 8, DeviceTable);
        _iommu.Write(0x0008, 8, CommandRing | 9UL << 56);
        _iommu.Write(0x0018, 8, 1UL | 1UL << 12 | 1UL << 16 | 1UL << 58);
    }

    public static Requester HostOnly { get; } = new(DeviceId.FromBdf(0, 1, 0));

    public static Requester Nested { get; } = new(DeviceId.FromBdf(0, 2, 0), Pasid);

    public GuestPhysicalSpace Memory { get; } = new();

    public AmdIommu Iommu => _iommu;

    /// <summary>The address at which a requester sees a page; only the nested one sees pages of the guest's table.</summary>
    public static ulong AddressOf(bool nested, int page) => nested ? (ulong)page << 12 : HostWindow + ((ulong)page << 12);

    /// <summary>The version in an output address.</summary>
    public static ulong VersionOf(ulong output) => (output - VersionBase) >> 12;

    /// <summary>Gives a page a new version in its table; what is cached of it is stale from now on.</summary>
    public void Renew(int page, ulong version)
    {
        if (page % 2 == 0)
        {
            // The guest's leaf names another guest page; the host maps that whole window one to one with a version.
            Memory.Store64(GuestRoot + 0x3000 + (ulong)page * 8, GuestLeaf(version));
        }
        else
        {
            Memory.Store64(HostRoot + 0x4000 + (ulong)page * 8, HostLeaf(VersionBase + (version << 12)));
        }
    }

    /// <summary>Invalidates a page, one of several ways, and waits until it is done.</summary>
    public void InvalidateAndWait(int page, int way)
    {
        bool guest = page % 2 == 0;
        ulong address = AddressOf(guest, page);
        (ulong low, ulong high) = (way % 4) switch
        {
            0 when guest => (PagesCommand | Pasid, address | 4UL),
            0 => (PagesCommand, address | 2UL),
            1 when guest => (PagesCommand | Pasid, 0x7FFF_FFFF_FFFF_F007UL),
            1 => (PagesCommand, 0x7FFF_FFFF_FFFF_F003UL),
            2 => (PagesCommand, 0x7FFF_FFFF_FFFF_F003UL),
            _ => (8UL << 60, 0UL),
        };
        lock (_ring)
        {
            ulong data = ++_waits;
            Put(low, high);
            Put(1UL << 60 | Semaphore | 1, data);
            _iommu.Write(0x2008, 4, _tail);
            Memory.Load64(Semaphore, out ulong stored);
            if (stored != data)
            {
                throw new InvalidOperationException($"COMPLETION_WAIT stored {stored}, expected {data}");
            }
        }
    }

    public void Dispose() => Memory.Dispose();

    private static ulong PagesCommand => 3UL << 60 | (ulong)Domain << 32;

    private static ulong HostDirectory(ulong table, int level) => table | (ulong)level << 9 | 3UL << 61 | 1;

    private static ulong HostLeaf(ulong page) => page | 3UL << 61 | 1;

    /// <summary>Accessed and Dirty are set already: the version is all that changes.</summary>
    private static ulong GuestLeaf(ulong version) => (VersionBase + (version << 12)) | 0x67;

    private void Put(ulong low, ulong high)
    {
        Memory.Store64(CommandRing + _tail, low);
        Memory.Store64(CommandRing + _tail + 8, high);
        _tail = (_tail + 16) & RingMask;
    }

    private void BuildTables()
    {
        // Host, four levels: the first 16 MiB and the version window one to one, and one table of single pages.
        Memory.Store64(HostRoot, HostDirectory(HostRoot + 0x1000, 3));
        Memory.Store64(HostRoot + 0x1000, HostDirectory(HostRoot + 0x2000, 2));
        for (ulong i = 0; i < 8; i++)
        {
            Memory.Store64(HostRoot + 0x2000 + i * 8, HostLeaf(i << 21));
        }

        Memory.Store64(HostRoot + 0x1000 + (HostWindow >> 30) * 8, HostDirectory(HostRoot + 0x3000, 2));
        Memory.Store64(HostRoot + 0x3000, HostDirectory(HostRoot + 0x4000, 1));
        ulong versions = VersionBase >> 39;
        for (ulong i = 0; i < 8; i++)
        {
            // A default-size leaf of level 4 maps 512 GiB: room for 2^27 versions each.
            Memory.Store64(HostRoot + (versions + i) * 8, HostLeaf(VersionBase + (i << 39)));
        }

        // Guest, four levels: one table of single pages, and behind it the host's pages.
        Memory.Store64(GuestRoot, GuestRoot + 0x1000 | 0x27);
        Memory.Store64(GuestRoot + 0x1000, GuestRoot + 0x2000 | 0x27);
        Memory.Store64(GuestRoot + 0x2000, GuestRoot + 0x3000 | 0x27);
        Memory.Store64(Gcr3 + Pasid * 8, GuestRoot | 1);
        for (int page = 0; page < Pages; page++)
        {
            if (page % 2 == 1)
            {
                Memory.Store64(GuestRoot + 0x3000 + (ulong)page * 8, (HostWindow + ((ulong)page << 12)) | 0x67);
            }

            Renew(page, 0);
        }

        WriteDte(HostOnly.Device, 0);
        WriteDte(Nested.Device, 1UL << 55);
    }

    private void WriteDte(DeviceId device, ulong guest)
    {
        ulong at = DeviceTable + device.Value * 32;
        ulong root = guest == 0 ? 0 : Gcr3;
        Memory.Store64(at + 8, Domain | ((root >> 15) & 0xFFFF) << 16 | root >> 31 << 43);
        Memory.Store64(at, HostRoot | 3UL << 61 | 4UL << 9 | 3 | guest | ((root >> 12) & 7) << 58);
    }
}
