using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Tests.Iommufd.AmdHost;
using Xunit;

namespace FastNest.Tests.Iommufd;

/// <summary>
/// Two address spaces, made twice: as they are built, and as the plain model. Random calls go to both; their answers must be
/// the same, and afterwards what devices and accesses find. The memory of the process is scattered, with holes, and changes.
/// </summary>
internal sealed partial class IoasPlay : IDisposable
{
    private const ulong Page = IoasMachine.Page;
    private const ulong User = 0x10_0000_0000;
    private const int UserPages = 96;
    private const int FilePages = 24;
    private const ulong Low = 1 << 20;
    private const ulong High = 1UL << 40;
    private const int Places = 48;

    private readonly Dice _dice;
    private readonly AmdHostMachine _machine = new();
    private readonly UserAddressSpace _process;
    private readonly ProcessModel _processModel;
    private readonly MemoryFile _file;
    private readonly ProcessModel _fileModel = new(long.MaxValue);
    private readonly byte[] _ram = new byte[256 * Page];
    private readonly List<Space> _spaces = [];
    private readonly List<Domain> _domains = [];
    private readonly List<Owner> _accesses = [];
    private readonly Queue<AmdHostDevice> _devices = new();
    private readonly object[] _owners = [new(), new()];

    public IoasPlay(Dice dice)
    {
        _dice = dice;
        long limit = dice.OneIn(3) ? dice.Between(10, 60) : long.MaxValue;
        _process = new(_machine.Memory, limit);
        _processModel = new(limit);
        _file = new(_machine.Memory);
        for (int i = 0; i < _ram.Length; i++)
        {
            _ram[i] = (byte)dice.Below(256);
        }

        _machine.Memory.Write(0, _ram, out _);
        MapProcess(0, UserPages);
        for (int pages = 0; pages < FilePages;)
        {
            int run = dice.Between(1, 8);
            ulong physical = (ulong)dice.Below(248);
            _file.Append(physical * Page, (ulong)run * Page);
            for (int i = 0; i < run; i++, pages++)
            {
                _fileModel.Pages.Add((ulong)pages, (physical + (ulong)i, true));
            }
        }

        for (uint device = 0; device < 4; device++)
        {
            _devices.Enqueue(_machine.AddDevice(0x10 + device));
        }

        for (int i = 0; i < 2; i++)
        {
            _spaces.Add(new(_machine.Context.CreateIoas(), new() { IsSplit = static domain => ((Domain)domain).SplitsPages }));
        }

        AddAccess(pinsPages: true, letsGo: true);
        AddAccess(pinsPages: true, letsGo: dice.OneIn(2));
        AddAccess(pinsPages: false, letsGo: true);
        var locking = new IoasAccess(_machine.Context, pinsPages: true, null, locks: true);
        _machine.Context.Objects.Add(locking);
        _accesses.Add(new(new(true, false, true)) { Access = locking });
        foreach (Owner owner in _accesses.FindAll(_ => dice.OneIn(2)))
        {
            Space space = dice.From(_spaces);
            owner.Access.Attach(space.Ioas);
            space.Model.Join(owner.Model);
        }
    }

    /// <summary>Ends everything; then nothing may be pinned, which the machine sees to.</summary>
    public void Dispose()
    {
        _domains.ToList().ForEach(Remove);
        _accesses.FindAll(static owner => owner.Model.Locks).ForEach(static owner => owner.Access.Destroy());
        _machine.Dispose();
        Assert.Equal(0, _process.PinnedPages);
        _file.Dispose();
    }

    /// <summary>Makes one random call, and looks at everything after it.</summary>
    public void Step()
    {
        Space space = _dice.From(_spaces);
        switch (_dice.Below(20))
        {
            case < 5:
                Map(space);
                break;
            case < 7:
                Copy(space);
                break;
            case < 10:
                Unmap(space);
                break;
            case 10:
                ChangeRanges(space);
                break;
            case 11:
                bool huge = _dice.OneIn(2);
                Same(space.Model.SetHugePages(huge), () => space.Ioas.HugePages = huge);
                break;
            case 12 or 13:
                ChangeDomains(space);
                break;
            case 14 when _dice.OneIn(2) && _domains.Count != 0:
                TrackDirty(_dice.From(_domains));
                break;
            case 14:
                MoveAccess(space);
                break;
            case 15 or 16:
                for (int more = _dice.Below(4); more >= 0; more--)
                {
                    Pin();
                }

                break;
            case 17 or 18:
                Touch();
                break;
            default:
                int first = _dice.Below(UserPages);
                MapProcess(first, Math.Min(UserPages, first + _dice.Between(1, 16)));
                break;
        }

        Look();
    }

    private static void Same(Errno expected, Action call)
    {
        Exception? error = Record.Exception(call);
        Assert.True(error is null or IommufdException, $"{error}");
        Assert.Equal(expected, (error as IommufdException)?.Errno ?? Errno.None);
    }

    /// <summary>Puts other memory, or none, behind pages of the process.</summary>
    private void MapProcess(int first, int end)
    {
        _process.Unmap(User + (ulong)first * Page, (ulong)(end - first) * Page);
        for (int page = first; page < end; page++)
        {
            _processModel.Pages.Remove((ulong)page);
        }

        while (first < end)
        {
            int run = Math.Min(end - first, _dice.Between(1, 16));
            if (!_dice.OneIn(8))
            {
                ulong physical = (ulong)_dice.Below(240);
                bool writable = !_dice.OneIn(6);
                _process.Map(User + (ulong)first * Page, physical * Page, (ulong)run * Page, writable);
                for (int page = 0; page < run; page++)
                {
                    _processModel.Pages.Add((ulong)(first + page), (physical + (ulong)page, writable));
                }
            }

            first += run;
        }
    }

    private void AddAccess(bool pinsPages, bool letsGo)
    {
        var owner = new Owner(new(pinsPages, letsGo, false));
        owner.Access = _machine.Context.CreateAccess(pinsPages, letsGo ? owner.LetGo : null);
        _accesses.Add(owner);
    }

    private void ChangeDomains(Space space)
    {
        if (_devices.Count == 0 || _dice.OneIn(3))
        {
            if (_domains.Count != 0)
            {
                Remove(_dice.From(_domains));
            }

            return;
        }

        AmdHostDevice device = _devices.Dequeue();
        HardwarePagingDomain hardware = device.CreatePaging(HwptOptions.None, default);
        ulong sizes = _dice.Of(HostPageTable.DefaultPageSizes, 1UL << 12 | 1UL << 14 | 1UL << 16, 1UL << 12 | 1UL << 13 | 1UL << 15);
        var tables = new PagingDomain(space.Ioas, hardware.Format with { PageSizes = sizes }, hardware);
        hardware.Tables = tables;
        var domain = new Domain(space, device, hardware, tables);
        Errno expected = space.Model.AddDomain(domain, tables.Aperture.Last);
        Same(expected, tables.Attach);
        if (expected == Errno.None)
        {
            device.Attach(null, hardware);
            _domains.Add(domain);
        }
        else
        {
            tables.Dispose();
            hardware.Dispose();
            _devices.Enqueue(device);
        }
    }

    private void Remove(Domain domain)
    {
        domain.Device.Attach(null, null);
        domain.Tables.Dispose();
        domain.Hardware.Dispose();
        domain.Space.Model.RemoveDomain(domain);
        _domains.Remove(domain);
        _devices.Enqueue(domain.Device);
    }

    /// <summary>Begins or ends dirty tracking, for which pages may be split.</summary>
    private void TrackDirty(Domain domain)
    {
        bool splits = _dice.OneIn(2);
        if (splits || _dice.OneIn(2))
        {
            domain.Tables.BeginDirtyTracking(splits);
        }
        else
        {
            domain.Tables.EndDirtyTracking();
        }

        if (splits != domain.SplitsPages)
        {
            domain.SplitsPages = splits;
            domain.Space.Model.Areas.ForEach(area => area.Write(domain, small: splits || !domain.Space.Model.HugePages));
        }
    }

    private sealed record Space(Ioas Ioas, IoasModel Model);

    private sealed record Domain(Space Space, AmdHostDevice Device, HardwarePagingDomain Hardware, PagingDomain Tables)
    {
        public bool SplitsPages { get; set; }
    }

    /// <summary>Who has an access, and knows what it pinned.</summary>
    private sealed class Owner(AccessModel model)
    {
        public AccessModel Model { get; } = model;

        public IoasAccess Access { get; set; } = null!;

        public List<IovaRange> Pins { get; } = [];

        public void LetGo(IovaRange range)
        {
            foreach (IovaRange pin in Pins.FindAll(range.Overlaps))
            {
                Pins.Remove(pin);
                Access.Unpin(pin.First, pin.Last - pin.First + 1);
            }
        }
    }
}
