using FastNest.Requests;

namespace FastNest.Cli.Bench;

/// <summary>Which pages are asked for, in which order.</summary>
internal sealed class Workload
{
    public const int Batch = 256;

    private const int RingPages = 512;

    public Workload(BenchMachine machine, string pattern, int requests)
    {
        Machine = machine;
        Iovas = new ulong[requests];
        Devices = new int[requests];
        var random = new Random(2);
        for (int i = 0; i < requests; i++)
        {
            int page = Page(pattern, i, machine.Pages, random);
            Iovas[i] = machine.Iova(page) | (uint)random.Next(4096);
            Devices[i] = page / machine.PagesPerDevice;
        }

        Requests = machine.Devices == 1
            ? []
            : [.. Iovas.Select((iova, i) => machine.Requester(Devices[i]).Request(iova, Access.Read))];
    }

    /// <summary>random; zipf: few pages often; sequential; ring: as a device goes round its buffers, four requests a page.</summary>
    public static IReadOnlyList<string> Patterns { get; } = ["random", "zipf", "sequential", "ring"];

    public BenchMachine Machine { get; }

    public ulong[] Iovas { get; }

    /// <summary>The device of each request.</summary>
    public int[] Devices { get; }

    /// <summary>The same with who asks, if there is more than one device; all contenders read these, as they all read the addresses.</summary>
    public TranslationRequest[] Requests { get; }

    private static int Page(string pattern, int i, int pages, Random random) => pattern switch
    {
        "random" => random.Next(pages),
        "zipf" => (int)((uint)Math.Pow(pages, random.NextDouble()) * 0x9E37_79B1u & (uint)(pages - 1)),
        "sequential" => i % pages,
        "ring" => i / 4 % Math.Min(RingPages, pages),
        _ => throw new ArgumentOutOfRangeException(nameof(pattern), pattern, $"expected one of {string.Join(", ", Patterns)}"),
    };

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
