using System.Diagnostics;

namespace FastNest.Cli.Vms;

/// <summary>
/// Two VMs on one IOMMU: each boots its driver, owns its tables, and maps and unmaps under a device that never rests, while the
/// host moves their memory. Then both are taken down.
/// </summary>
internal static class VmScenario
{
    private const int Vms = 2;
    private const int StepsPerMove = 50;

    /// <param name="seconds">For how long.</param>
    /// <param name="watch">Told now and then what was done so far.</param>
    public static VmReport Run(double seconds, Action<VmReport> watch)
    {
        using var host = new VmHost(Vms);
        GuestDriver[] drivers = [.. host.Vms.Select(static vm => new GuestDriver(vm))];
        foreach (GuestDriver driver in drivers)
        {
            driver.Boot();
        }

        DeviceTraffic[] traffic = [.. host.Vms.Select((vm, i) => new DeviceTraffic(host, vm, drivers[i]))];
        using var stop = new CancellationTokenSource();
        Task[] devices = [.. traffic.Select(device => Task.Factory.StartNew(
            () => device.Run(stop.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        var clock = Stopwatch.StartNew();
        long told = 0;
        for (int step = 1; clock.Elapsed.TotalSeconds < seconds && !devices.Any(static device => device.IsFaulted); step++)
        {
            foreach (GuestDriver driver in drivers)
            {
                driver.Step();
            }

            if (step % StepsPerMove == 0)
            {
                // Not the first piece: the VM's rings and tables are there, which its driver uses without asking.
                host.Vms[step / StepsPerMove % Vms].Move(1 + step / StepsPerMove / Vms % (VmHost.Pieces - 1));
            }

            if (clock.ElapsedMilliseconds / 200 != told)
            {
                told = clock.ElapsedMilliseconds / 200;
                watch(Report(clock.Elapsed.TotalSeconds, host, drivers, traffic, isOver: false));
            }
        }

        stop.Cancel();
        Task.WaitAll(devices);
        double elapsed = clock.Elapsed.TotalSeconds;
        foreach (Vm vm in host.Vms)
        {
            vm.Destroy();
        }

        return Report(elapsed, host, drivers, traffic, isOver: true);
    }

    private static VmReport Report(double seconds, VmHost host, GuestDriver[] drivers, DeviceTraffic[] traffic, bool isOver) => new(
        seconds,
        [.. host.Vms.Select((vm, i) => new VmCounters(
            $"vm{vm.Number}",
            vm.Traps,
            drivers[i].Commands,
            drivers[i].Maps,
            drivers[i].Unmaps,
            vm.Moves / 2,
            traffic[i].Translations,
            traffic[i].Bytes,
            traffic[i].Refused,
            drivers[i].Events,
            drivers[i].Overflows,
            traffic[i].Stale + vm.LateWrites,
            traffic[i].Foreign + (isOver ? drivers[i].CountForeign() : 0),
            traffic[i].Lost,
            drivers[i].Late))],
        isOver ? host.PinnedPages : 0);
}
