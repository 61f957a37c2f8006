namespace FastNest.Cli.Bench;

/// <summary>Which pages are asked for, in which order.</summary>
internal sealed class Workload
{
    public const int Batch = 256;

    public Workload(BenchMachine machine, string pattern, int requests)
    {
        Machine = machine;
        Iovas = new ulong[requests];
        Devices = new int[requests];
        var random = new Random(2);
        for (int i = 0; i < requests; i++)
        {
            int page = pattern == "sequential" ? i % machine.Pages : random.Next(machine.Pages);
            Iovas[i] = machine.Iova(page) | (uint)random.Next(4096);
            Devices[i] = page / machine.PagesPerDevice;
        }
    }

    public BenchMachine Machine { get; }

    public ulong[] Iovas { get; }

    /// <summary>The device of each request.</summary>
    public int[] Devices { get; }

    /// <summary>What a request comes to.</summary>
    public ulong Expected(int i)
    {
        ulong page = (Iovas[i] - BenchMachine.Base) >> 12;
        return (1UL << 40) + (((ulong)Devices[i] * (ulong)Machine.PagesPerDevice + page) << 12) + (Iovas[i] & 0xFFF);
    }

    /// <summary>Whether the answers of the last batch are right.</summary>
    public static bool IsRight(Workload workload, ulong[] results)
    {
        int first = workload.Iovas.Length - Batch;
        for (int i = 0; i < Batch; i++)
        {
            if (results[i] != workload.Expected(first + i))
            {
                return false;
            }
        }

        return true;
    }
}
