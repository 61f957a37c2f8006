using System.Diagnostics;
using FastNest.Cli.Captures;
using FastNest.Engine;
using FastNest.Iommufd;

namespace FastNest.Cli.Vms;

/// <summary>
/// Two VMs on one IOMMU that serves them by hardware: their drivers map and invalidate and the host moves their memory on one
/// thread, their devices run at full speed on another. Every answer is judged.
/// </summary>
internal sealed class VmScenario : IDisposable
{
    private const int VmCount = 2;
    private const int DevicesPerVm = 2;
    private const int SparePlaces = 2;
    private const int RoundsBetweenMigrations = 16;

    private static readonly TimeSpan LiveInterval = TimeSpan.FromMilliseconds(200);

    private readonly string? _capture;
    private readonly VmHost _host;
    private readonly TranslationPort _port;
    private readonly List<RunningVm> _vms = [];
    private readonly ParentMigration _migration;
    private readonly Stopwatch _clock = new();
    private long _rounds;

    /// <summary>Starts the VMs' drivers.</summary>
    /// <param name="capture">Whose driver is replayed; null for a built-in one.</param>
    /// <param name="migration">How the host moves memory; null for the right way.</param>
    /// <exception cref="CaptureException">The capture is of no driver that can run in a VM.</exception>
    public VmScenario(CaptureFolder? capture = null, Func<HostPlaces, ParentMigration>? migration = null)
    {
        _capture = capture?.Name;
        IGuestBoot boot = capture is null ? new LinuxBoot() : new CaptureBoot(capture);
        _host = new(VmCount * VmLayout.MovableAreas + SparePlaces, VmCount * VmHost.FixedLength(boot.Memory));
        _migration = migration?.Invoke(_host.Places) ?? new(_host.Places);
        _port = _host.Iommu.Iommu.OpenPort();
        try
        {
            for (int vm = 0; vm < VmCount; vm++)
            {
                _vms.Add(new(_host, new(_host, vm, DevicesPerVm, boot), boot, _port));
            }
        }
        catch (IommufdException exception) when (capture is not null)
        {
            Dispose();
            throw new CaptureException($"mmio.jsonl: expected rings that a VM can have: {exception.Message}", exception);
        }

        if (_vms.Exists(vm => !vm.IsUp))
        {
            Dispose();
            throw new CaptureException("mmio.jsonl: expected a driver that leaves its command buffer and its event log running");
        }
    }

    /// <summary>Lets everything run.</summary>
    /// <param name="duration">How long.</param>
    /// <param name="live">Called now and then with what there is so far; null for nobody.</param>
    public VmReport Run(TimeSpan duration, Action<VmReport>? live = null)
    {
        _clock.Start();
        TimeSpan end = _clock.Elapsed + duration;
        var stop = new CancellationTokenSource();
        using Task devices = Task.Factory.StartNew(() => RunDevices(stop.Token), default, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            TimeSpan next = _clock.Elapsed + LiveInterval;
            while (_clock.Elapsed < end && !devices.IsFaulted)
            {
                RunHost();
                if (live is not null && _clock.Elapsed >= next)
                {
                    live(Report(isOver: false));
                    next += LiveInterval;
                }
            }
        }
        finally
        {
            stop.Cancel();
            devices.Wait();
            stop.Dispose();
        }

        _clock.Stop();
        return Report(isOver: true);
    }

    /// <summary>Lets everything run on one thread in a fixed order: the same each time.</summary>
    /// <param name="rounds">How many turns each has.</param>
    public VmReport RunInTurns(int rounds)
    {
        for (int i = 0; i < rounds; i++)
        {
            RunHost();
            RunDevices();
        }

        return Report(isOver: true);
    }

    public void Dispose()
    {
        _port.Dispose();
        _host.Dispose();
    }

    /// <summary>A round of each VM's processor, and now and then a migration.</summary>
    private void RunHost()
    {
        _vms.ForEach(static vm => vm.Work());
        if (++_rounds % RoundsBetweenMigrations == 0)
        {
            _vms[(int)(_rounds / RoundsBetweenMigrations % VmCount)].Migrate(_migration);
        }
    }

    private void RunDevices() => _vms.ForEach(static vm => vm.Load());

    private void RunDevices(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            RunDevices();
        }
    }

    private VmReport Report(bool isOver)
    {
        VmFigures[] figures = [.. _vms.Select(vm => vm.Figures)];
        return new()
        {
            Capture = _capture,
            Seconds = Math.Round(_clock.Elapsed.TotalSeconds, 3),
            HostEvents = _host.Events,
            CommandsMissed = isOver ? figures.Sum(vm => vm.Commands) - _host.Hardware.CommandsExecuted : 0,
            Vms = figures,
        };
    }
}
