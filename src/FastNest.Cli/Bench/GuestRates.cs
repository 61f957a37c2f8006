using System.Diagnostics;
using FastNest.Amd.Commands;
using FastNest.Engine;
using FastNest.Iommufd;
using FastNest.Iommufd.AmdHost;
using FastNest.Memory;
using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>
/// What commands of VMs cost on their own rings, which the hardware runs: one at a time and in bursts, for few and many VMs,
/// while a device of the host's translates on another thread.
/// </summary>
internal sealed class GuestRates : IDisposable
{
    private const ulong VmMemory = 0x2000;
    private const ulong Semaphore = 0x1000;
    private const ulong User = 0x7000_0000_0000;
    private const ulong CommandTail = 0x08;
    private const ulong Control = 0x18;
    private const int Entries = 256;
    private const int Burst = 200;
    private const int Calls = 4096;
    private const int TranslatedPages = 512;
    private const uint AmdViommu = 3;
    private const uint CommandQueue = 2;
    private const IoasMapOptions Options = IoasMapOptions.FixedIova | IoasMapOptions.Readable | IoasMapOptions.Writeable;

    private readonly GuestPhysicalSpace _memory = new();
    private readonly AmdHostDriver _driver;
    private readonly AmdHostIommu _iommu;
    private readonly IommufdContext _context;
    private readonly Device _device;
    private readonly ViommuMapping[] _pages;
    private readonly ulong[] _tails;
    private ulong _ticket;

    public GuestRates(int vms)
    {
        ulong length = (ulong)vms * VmMemory + TranslatedPages * GuestPhysicalSpace.PageSize;
        _memory.AddOwned(0, length);
        _driver = new(_memory);
        _iommu = _driver.AddIommu();
        var process = new UserAddressSpace(_memory);
        process.Map(User, 0, length);
        _context = new(_memory, process);
        _device = _context.Bind(_driver.AddDevice(_iommu, new(0x100)));
        _pages = new ViommuMapping[vms];
        _tails = new ulong[vms];
        for (int vm = 0; vm < vms; vm++)
        {
            Ioas ioas = _context.CreateIoas();
            ioas.Map(Options, User + (ulong)vm * VmMemory, VmMemory, 0);
            Hwpt parent = _context.AllocateHwpt(_device.Id, ioas.Id, HwptOptions.NestParent);
            Viommu viommu = _context.AllocateViommu(AmdViommu, _device.Id, parent.Id);
            _context.AllocateHardwareQueue(viommu.Id, CommandQueue, 0, 0, Entries * 16);
            viommu.Write(Control, 8, 1 | 1 << 12); // IommuEn, CmdBufEn
            _pages[vm] = _context.Map(viommu.MmapOffset, viommu.MmapLength);
        }

        Ioas own = _context.CreateIoas();
        own.Map(Options, User + (ulong)vms * VmMemory, TranslatedPages * GuestPhysicalSpace.PageSize, 0);
        _device.Attach(own.Id);
    }

    public static IEnumerable<BenchRate> Run(int rounds)
    {
        foreach (int vms in new[] { 1, 64, 4096 })
        {
            using var guests = new GuestRates(vms);
            foreach (BenchRate rate in guests.Measure(rounds))
            {
                yield return rate;
            }
        }
    }

    public void Dispose()
    {
        _context.Dispose();
        _driver.Dispose();
        _memory.Dispose();
    }

    private List<BenchRate> Measure(int rounds)
    {
        bool stop = false;
        var thread = new Thread(() =>
        {
            using TranslationPort port = _iommu.Iommu.OpenPort();
            var requester = new Requester(_device.Host.Id);
            ulong[] iovas = [.. Enumerable.Range(0, 256).Select(static i => (ulong)i * 7919 % TranslatedPages * GuestPhysicalSpace.PageSize)];
            var results = new TranslationResult[iovas.Length];
            while (!Volatile.Read(ref stop))
            {
                port.Translate(requester, iovas, Access.Read, results);
            }
        });
        thread.Start();
        var latencies = new double[rounds];
        var rates = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            latencies[Math.Max(round, 0)] = Latency();
            rates[Math.Max(round, 0)] = Rate();
        }

        Volatile.Write(ref stop, true);
        thread.Join();
        return
        [
            Sorted($"guest-invalidation-{_pages.Length}-vms", "us", latencies),
            Sorted($"guest-commands-{_pages.Length}-vms", "M commands/s", rates),
        ];
    }

    private static BenchRate Sorted(string name, string unit, double[] values)
    {
        Array.Sort(values);
        return new(name, unit, values[values.Length / 2], values[0], values[^1]);
    }

    /// <summary>The median of single invalidations, from the bell to the store that tells that it is done; one VM after the other.</summary>
    private double Latency()
    {
        var times = new double[Calls];
        for (int call = 0; call < Calls; call++)
        {
            int vm = call % _pages.Length;
            Put(vm, Page(call), 1);
            long start = Stopwatch.GetTimestamp();
            Ring(vm);
            times[call] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }

        Array.Sort(times);
        return times[Calls / 2];
    }

    /// <summary>Millions of commands in a second, in bursts; one VM after the other.</summary>
    private double Rate()
    {
        int bursts = Math.Max(_pages.Length, Calls / 16);
        var time = TimeSpan.Zero;
        for (int burst = 0; burst < bursts; burst++)
        {
            int vm = burst % _pages.Length;
            Put(vm, Page(burst), Burst);
            long start = Stopwatch.GetTimestamp();
            Ring(vm);
            time += Stopwatch.GetElapsedTime(start);
        }

        return bursts * (Burst + 1.0) / time.TotalMicroseconds;
    }

    private static (ulong Low, ulong High) Page(int number) => (
        (ulong)Opcode.InvalidateIommuPages << 60 | CommandLayout.DomainID.Of(1),
        (ulong)(number & 0xFFFF) << 12 | CommandLayout.GN.Mask);

    /// <summary>Puts as many invalidations into a VM's ring, and a store behind them.</summary>
    private void Put(int vm, (ulong Low, ulong High) command, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Put(vm, command);
        }

        Put(vm, ((ulong)Opcode.CompletionWait << 60 | CommandLayout.Store.Mask | Semaphore, ++_ticket));
    }

    private void Put(int vm, (ulong Low, ulong High) command)
    {
        ulong at = (ulong)vm * VmMemory + _tails[vm];
        _memory.Store64(at, command.Low);
        _memory.Store64(at + 8, command.High);
        _tails[vm] = (_tails[vm] + 16) % (Entries * 16);
    }

    private void Ring(int vm)
    {
        _pages[vm].Write(CommandTail, 4, _tails[vm]);
        _memory.Load64((ulong)vm * VmMemory + Semaphore, out ulong done);
        if (done != _ticket)
        {
            throw new InvalidOperationException($"VM {vm}: {done} is stored, expected {_ticket}");
        }
    }
}
