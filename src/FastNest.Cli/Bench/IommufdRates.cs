using System.Diagnostics;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Iommufd.Drivers;
using FastNest.Memory;

namespace FastNest.Cli.Bench;

/// <summary>What the objects of iommufd cost: mapping, and VMs that come and go.</summary>
internal sealed class IommufdRates : IDisposable
{
    private const ulong Length = 1UL << 30;
    private const ulong User = 0x7000_0000_0000;
    private const ulong PageSize = 4096;
    private const int Devices = 16;
    private const int FirstDevice = 0x100;
    private const uint AmdViommuType = 3;
    private const uint AmdGuestDte = 3;
    private const int WarmUps = 300;
    private const IoasMapOptions Options = IoasMapOptions.FixedIova | IoasMapOptions.Readable | IoasMapOptions.Writeable;

    private readonly GuestPhysicalSpace _memory = new();
    private readonly AmdHostDriver _driver;
    private readonly HostDevice[] _hosts;
    private readonly IommufdContext _context;

    public IommufdRates()
    {
        _memory.AddOwned(0, Length);
        _driver = new(_memory);
        AmdHostIommu iommu = _driver.AddIommu();
        _hosts = [.. Enumerable.Range(FirstDevice, Devices).Select(device => _driver.AddDevice(iommu, new((uint)device)))];
        var process = new UserAddressSpace(_memory);
        process.Map(User, 0, Length);
        _context = new(_memory, process);
    }

    public void Dispose()
    {
        _context.Dispose();
        _driver.Dispose();
        _memory.Dispose();
    }

    public IEnumerable<BenchRate> Run(int rounds)
    {
        Device device = _context.Bind(_hosts[0]);
        foreach (bool huge in new[] { true, false })
        {
            Ioas ioas = _context.CreateIoas();
            ioas.HugePages = huge;
            device.Attach(ioas.Id);
            var map = new double[rounds];
            var unmap = new double[rounds];
            for (int round = -1; round < rounds; round++)
            {
                double mapped = Microseconds(() => ioas.Map(Options, User, Length, 0));
                double unmapped = Microseconds(() => ioas.Unmap(0, Length));
                (map[Math.Max(round, 0)], unmap[Math.Max(round, 0)]) = (mapped, unmapped);
            }

            device.Detach();
            _context.Destroy(ioas.Id);
            yield return huge ? Rate("map-1g-huge", "us", map) : Rate("map-4k-pages", "M pages/s", [.. map.Select(Pages)]);
            yield return huge ? Rate("unmap-1g-huge", "us", unmap) : Rate("unmap-4k-pages", "M pages/s", [.. unmap.Select(Pages)]);
        }

        device.Unbind();
        yield return Rate("vm-with-16-devices", "us", Vms(rounds * 20));
    }

    private static double Pages(double microseconds) => Length / PageSize / microseconds;

    private static double Microseconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }

    private static BenchRate Rate(string name, string unit, double[] values)
    {
        Array.Sort(values);
        return new(name, unit, values[values.Length / 2], values[0], values[^1]);
    }

    /// <summary>A vIOMMU with devices that have numbers and nested tables, made and taken down again.</summary>
    private double[] Vms(int rounds)
    {
        Device[] devices = [.. _hosts.Select(_context.Bind)];
        Ioas ioas = _context.CreateIoas();
        ioas.Map(Options, User, Length, 0);
        Hwpt parent = _context.AllocateHwpt(devices[0].Id, ioas.Id, HwptOptions.NestParent);
        byte[] guestDte = new byte[32];
        var times = new double[rounds];
        for (int round = -WarmUps; round < rounds; round++)
        {
            double time = Microseconds(() => MakeAndTakeDown(devices, parent, guestDte));
            times[Math.Max(round, 0)] = time;
        }

        return times;
    }

    private void MakeAndTakeDown(Device[] devices, Hwpt parent, byte[] guestDte)
    {
        Viommu viommu = _context.AllocateViommu(AmdViommuType, devices[0].Id, parent.Id);
        Hwpt nested = _context.AllocateHwpt(devices[0].Id, viommu.Id, HwptOptions.None, AmdGuestDte, guestDte);
        Span<uint> numbers = stackalloc uint[Devices];
        for (int i = 0; i < Devices; i++)
        {
            numbers[i] = _context.AllocateVdevice(viommu.Id, devices[i].Id, (ulong)i + 1).Id;
            devices[i].Attach(nested.Id);
        }

        for (int i = 0; i < Devices; i++)
        {
            devices[i].Detach();
            _context.Destroy(numbers[i]);
        }

        _context.Destroy(nested.Id);
        _context.Destroy(viommu.Id);
    }
}
