using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Memory;

namespace FastNest.Cli.Vms;

/// <summary>
/// A machine with one IOMMU and the process that runs its VMs. Each VM's memory is in pieces of 2 MiB, for which it has a part of
/// the machine's memory to itself, larger than it needs: its pieces can move.
/// </summary>
internal sealed class VmHost : IDisposable
{
    /// <summary>Bytes of a piece of a VM's memory.</summary>
    public const ulong PieceSize = 2 << 20;

    /// <summary>How many pieces a VM has.</summary>
    public const int Pieces = 8;

    /// <summary>For how many there is memory.</summary>
    private const int Places = 12;

    private const ulong User = 0x7000_0000_0000;
    private const ulong FirstVm = 16 << 20;
    private const int FirstDevice = 0x100;

    private readonly AmdHostDriver _driver;
    private readonly IommufdContext _context;
    private readonly UserAddressSpace _process;
    private readonly List<Vm> _vms = [];

    public VmHost(int vms)
    {
        ulong length = FirstVm + (ulong)vms * Places * PieceSize;
        Memory.AddOwned(0, length);
        _driver = new(Memory);
        Iommu = _driver.AddIommu();
        _process = new(Memory);
        _process.Map(User, 0, length);
        _context = new(Memory, _process);
        for (int number = 0; number < vms; number++)
        {
            ulong first = FirstVm + (ulong)number * Places * PieceSize;
            IEnumerable<ulong> places = Enumerable.Range(0, Places).Select(place => first + (ulong)place * PieceSize);
            _vms.Add(new(this, number, _context.Bind(_driver.AddDevice(Iommu, new((uint)(FirstDevice + number)))), places));
        }
    }

    public GuestPhysicalSpace Memory { get; } = new();

    public AmdHostIommu Iommu { get; }

    public IReadOnlyList<Vm> Vms => _vms;

    /// <summary>How many pages of VMs are pinned.</summary>
    public long PinnedPages => _process.PinnedPages;

    /// <summary>Which VM has a place of the machine's memory; negative for none.</summary>
    public static int OwnerOf(ulong physical) => physical < FirstVm ? -1 : (int)((physical - FirstVm) / (Places * PieceSize));

    public Ioas CreateIoas() => _context.CreateIoas();

    /// <summary>Maps memory of the machine, which the process has from one address on, for a VM.</summary>
    public static void Map(Ioas ioas, ulong guest, ulong physical) => ioas.Map(
        IoasMapOptions.FixedIova | IoasMapOptions.Readable | IoasMapOptions.Writeable, User + physical, PieceSize, guest);

    public void Dispose()
    {
        _context.Dispose();
        _driver.Dispose();
        Memory.Dispose();
    }
}
