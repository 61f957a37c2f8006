using FastNest.Engine;
using FastNest.Requests;

namespace FastNest.Fuzz.Soak;

/// <summary>
/// Translators on ports of their own against one thread that changes tables and invalidates. Each page has a floor, the
/// version that was in its table when an invalidation was last waited for, and a ceiling, the newest version written. A
/// translator reads the floor before it asks and the ceiling after: an answer outside is a violation.
/// </summary>
public static class ConcurrentSoak
{
    private const int BatchLength = 64;
    private const int TogetherLength = 16;
    private const int BatchesPerPort = 4096;

    /// <summary>Runs for a time and reports.</summary>
    /// <param name="duration">How long.</param>
    /// <param name="translators">Threads that translate, at least 1.</param>
    /// <param name="seed">Chooses pages and ways to invalidate; the threads' interleaving is the machine's own.</param>
    /// <param name="caches">The ports' caches; tiny ones find the most.</param>
    public static SoakReport Run(TimeSpan duration, int translators, int seed, CacheOptions caches)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(translators, 1);
        using var machine = new SoakMachine();
        var versions = new PageVersions(SoakMachine.Pages);
        var tally = new Tally();
        using var stop = new CancellationTokenSource(duration);
        var threads = new List<Thread>();
        for (int i = 0; i < translators; i++)
        {
            int number = i;
            threads.Add(new Thread(() => Guard(
                tally, () => Translate(machine, versions, tally, caches, new Random(seed + number), stop.Token))));
        }

        threads.Add(new Thread(() => Guard(tally, () => Mutate(machine, versions, tally, new Random(seed - 1), stop.Token))));
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return tally.Report();
    }

    /// <summary>What is thrown is a violation too; unhandled, it would end the process without a report.</summary>
    private static void Guard(Tally tally, Action work)
    {
        try
        {
            work();
        }
        catch (Exception failure)
        {
            tally.Violation(failure.ToString());
        }
    }

    private static void Mutate(SoakMachine machine, PageVersions versions, Tally tally, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            int page = random.Next(SoakMachine.Pages);
            ulong version = versions.Raise(page);
            machine.Renew(page, version);
            machine.InvalidateAndWait(page, random.Next(16) == 0 ? random.Next(4) : 0);
            versions.Settle(page, version);
            tally.CountInvalidation();
        }
    }

    private static void Translate(
        SoakMachine machine, PageVersions versions, Tally tally, CacheOptions caches, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using TranslationPort port = machine.Iommu.OpenPort(caches, WalkStrategies.Supported[random.Next(WalkStrategies.Supported.Count)]);
            tally.CountPort();
            for (int batch = 0; batch < BatchesPerPort && !stop.IsCancellationRequested; batch++)
            {
                TranslateBatch(port, versions, tally, random);
            }
        }
    }

    /// <summary>
    /// The floors are read within the batch, request by request: an invalidation that came to its end while the batch was
    /// open, when it should have waited for it, shows as an answer below the floor.
    /// </summary>
    private static void TranslateBatch(TranslationPort port, PageVersions versions, Tally tally, Random random)
    {
        if (random.Next(3) == 0)
        {
            TranslateMixed(port, versions, tally, random);
            return;
        }

        Requester requester = random.Next(2) == 0 ? SoakMachine.Nested : SoakMachine.HostOnly;
        bool nested = requester == SoakMachine.Nested;
        using PortBatch open = port.OpenBatch();
        if (random.Next(2) == 0)
        {
            TranslateTogether(open, requester, nested, versions, tally, random);
            return;
        }

        for (int i = 0; i < BatchLength; i++)
        {
            // Without guest tables only the pages of the host's table are seen.
            int page = random.Next(SoakMachine.Pages) | (nested ? 0 : 1);
            ulong floor = versions.Floor(page);
            TranslationResult result = open.Translate(requester.Request(SoakMachine.AddressOf(nested, page), Access.Read));
            Check(page, floor, versions.Ceiling(page), in result, tally);
        }

        tally.CountTranslations(BatchLength);
    }

    private static void TranslateTogether(
        PortBatch open, Requester requester, bool nested, PageVersions versions, Tally tally, Random random)
    {
        Span<int> pages = stackalloc int[TogetherLength];
        Span<ulong> iovas = stackalloc ulong[TogetherLength];
        Span<ulong> floors = stackalloc ulong[TogetherLength];
        Span<TranslationResult> results = stackalloc TranslationResult[TogetherLength];
        for (int done = 0; done < BatchLength; done += TogetherLength)
        {
            for (int i = 0; i < TogetherLength; i++)
            {
                pages[i] = random.Next(SoakMachine.Pages) | (nested ? 0 : 1);
                iovas[i] = SoakMachine.AddressOf(nested, pages[i]);
                floors[i] = versions.Floor(pages[i]);
            }

            open.Translate(requester, iovas, Access.Read, results);
            for (int i = 0; i < TogetherLength; i++)
            {
                Check(pages[i], floors[i], versions.Ceiling(pages[i]), in results[i], tally);
            }
        }

        tally.CountTranslations(BatchLength);
    }

    /// <summary>Requests of both devices in one call, which is a batch of its own.</summary>
    private static void TranslateMixed(TranslationPort port, PageVersions versions, Tally tally, Random random)
    {
        Span<int> pages = stackalloc int[BatchLength];
        Span<ulong> floors = stackalloc ulong[BatchLength];
        Span<TranslationRequest> requests = stackalloc TranslationRequest[BatchLength];
        Span<TranslationResult> results = stackalloc TranslationResult[BatchLength];
        for (int i = 0; i < BatchLength; i++)
        {
            bool nested = random.Next(2) == 0;
            Requester requester = nested ? SoakMachine.Nested : SoakMachine.HostOnly;
            pages[i] = random.Next(SoakMachine.Pages) | (nested ? 0 : 1);
            floors[i] = versions.Floor(pages[i]);
            requests[i] = requester.Request(SoakMachine.AddressOf(nested, pages[i]), Access.Read);
        }

        port.Translate(requests, results);
        for (int i = 0; i < BatchLength; i++)
        {
            Check(pages[i], floors[i], versions.Ceiling(pages[i]), in results[i], tally);
        }

        tally.CountTranslations(BatchLength);
    }

    private static void Check(int page, ulong floor, ulong ceiling, in TranslationResult result, Tally tally)
    {
        ulong version = result.Succeeded ? SoakMachine.VersionOf(result.Address) : ulong.MaxValue;
        if (version < floor || version > ceiling)
        {
            tally.Violation($"page {page}: {result}, version {version} outside {floor} to {ceiling}");
        }
    }
}
