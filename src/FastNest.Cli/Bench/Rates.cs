using System.Diagnostics;
using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>What a comparison of strategies does not show: commands, invalidations under load, two ports, lone requests.</summary>
internal static class Rates
{
    private const int Pages = 1 << 16;
    private const int Commands = 1 << 14;
    private const int Requests = 1 << 16;

    public static IReadOnlyList<BenchRate> Run(bool quick)
    {
        int rounds = quick ? 5 : 15;
        using var objects = new IommufdRates();
        using var machine = new BenchMachine(Pages, devices: 1, isNested: true);
        var ring = new CommandRing(machine);
        var workload = new Workload(machine, "random", Requests);
        using var first = new EngineContender("first", workload, new(), WalkStrategy.Auto);
        using var second = new EngineContender("second", workload, new(), WalkStrategy.Auto);
        first.Run();
        second.Run();
        return
        [
            .. Consumption(ring, machine, rounds),
            UnderLoad(ring, machine, second, rounds),
            Remapping(ring, machine, rounds),
            Dropping("invalidate-domain", CommandRing.Domain, ring, first, rounds),
            Dropping("invalidate-all", CommandRing.All, ring, first, rounds),
            TwoPorts(first, second, rounds),
            .. Lone(machine, workload),
            .. objects.Run(rounds),
            .. GuestRates.Run(rounds),
        ];
    }

    /// <summary>The ring alone: commands that stand there are executed, with both ports open and idle.</summary>
    private static IEnumerable<BenchRate> Consumption(CommandRing ring, BenchMachine machine, int rounds)
    {
        ring.Fill(_ => (2UL << 60 | 9, 0));
        yield return Measure("ring-consumption", "M commands/s", rounds, () => Millions(() => ring.Go(Commands)));
        ring.Fill(i => CommandRing.Page(machine.Iova((int)(i * 7919 % Pages))));
        yield return Measure("page-invalidation", "M/s", rounds, () => Millions(() => ring.Go(Commands)));
    }

    /// <summary>While another thread translates, with what it drops to be walked again.</summary>
    private static BenchRate UnderLoad(CommandRing ring, BenchMachine machine, EngineContender translator, int rounds)
    {
        ring.Fill(i => CommandRing.Page(machine.Iova((int)(i * 7919 % Pages))));
        bool stop = false;
        var thread = new Thread(() =>
        {
            while (!Volatile.Read(ref stop))
            {
                translator.Run();
            }
        });
        thread.Start();
        BenchRate rate = Measure("page-invalidation-under-load", "M/s", rounds, () => Millions(() => ring.Go(Commands)));
        Volatile.Write(ref stop, true);
        thread.Join();
        return rate;
    }

    /// <summary>As a driver unmaps and maps: entry away, invalidation, completion, entry back.</summary>
    private static BenchRate Remapping(CommandRing ring, BenchMachine machine, int rounds)
    {
        ulong leaf = machine.GuestLeaf(machine.Iova(77));
        machine.Memory.Load64(leaf, out ulong entry);
        ulong ticket = 0;
        return Measure("unmap-and-map", "M/s", rounds, () => Millions(() =>
        {
            for (int i = 0; i < Commands; i++)
            {
                machine.Memory.Store64(leaf, 0);
                ring.Send(CommandRing.Page(machine.Iova(77)));
                ring.Send(CommandRing.Wait(++ticket));
                machine.Memory.Store64(leaf, entry);
            }
        }));
    }

    /// <summary>From the command to its completion, whatever is cached.</summary>
    private static BenchRate Dropping(string name, (ulong Low, ulong High) command, CommandRing ring, EngineContender port, int rounds)
    {
        const int Repeats = 64;
        ulong ticket = 1 << 20;
        return Measure(name, "ns", rounds, () =>
        {
            port.Run();
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Repeats; i++)
            {
                ring.Send(command);
                ring.Send(CommandRing.Wait(++ticket));
            }

            return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Repeats;
        });
    }

    /// <summary>The throughput of two threads with a port each, against one.</summary>
    private static BenchRate TwoPorts(EngineContender first, EngineContender second, int rounds)
    {
        const int Repeats = 32;
        first.Run();
        second.Run();
        return Measure("two-ports-against-one", "x", rounds, () =>
        {
            long start = Stopwatch.GetTimestamp();
            Repeat(first);
            double alone = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
            using var ready = new Barrier(2);
            double others = 0;
            var thread = new Thread(() =>
            {
                ready.SignalAndWait();
                long begun = Stopwatch.GetTimestamp();
                Repeat(second);
                others = Stopwatch.GetElapsedTime(begun).TotalNanoseconds;
            });
            thread.Start();
            ready.SignalAndWait();
            start = Stopwatch.GetTimestamp();
            Repeat(first);
            double mine = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
            thread.Join();
            return (alone / mine) + (alone / others);
        });

        static void Repeat(EngineContender port)
        {
            for (int i = 0; i < Repeats; i++)
            {
                port.Run();
            }
        }
    }

    /// <summary>One request at a time, each timed by itself; what the timing costs is a row of its own.</summary>
    private static IEnumerable<BenchRate> Lone(BenchMachine machine, Workload workload)
    {
        using TranslationPort port = machine.Iommu.OpenPort(strategy: WalkStrategy.Auto);
        Requester requester = machine.Requester(0);
        double tick = 1e9 / Stopwatch.Frequency;
        var times = new double[Requests];
        var empty = new double[Requests];
        for (int pass = 0; pass < 2; pass++)
        {
            for (int i = 0; i < Requests; i++)
            {
                long before = Stopwatch.GetTimestamp();
                long start = Stopwatch.GetTimestamp();
                TranslationRequest request = requester.Request(workload.Iovas[i], Access.Read);
                port.Translate(in request);
                times[i] = (Stopwatch.GetTimestamp() - start) * tick;
                empty[i] = (start - before) * tick;
            }
        }

        Array.Sort(times);
        Array.Sort(empty);
        foreach ((string name, double share) in ((string, double)[])[("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)])
        {
            yield return Percentile($"lone-request-{name}", times, share);
        }

        yield return Percentile("timing-alone-p50", empty, 0.5);
    }

    private static BenchRate Percentile(string name, double[] sorted, double share) =>
        new(name, "ns", sorted[(int)(sorted.Length * share)], sorted[0], sorted[^1]);

    private static double Millions(Action run)
    {
        long start = Stopwatch.GetTimestamp();
        run();
        return Commands * 1e3 / Stopwatch.GetElapsedTime(start).TotalNanoseconds;
    }

    private static BenchRate Measure(string name, string unit, int rounds, Func<double> once)
    {
        once();
        double[] values = [.. Enumerable.Range(0, rounds).Select(_ => once()).Order()];
        return new(name, unit, values[rounds / 2], values[0], values[^1]);
    }
}
