using System.Diagnostics;
using System.Security.Cryptography;
using FastNest.Fuzz.Targets;

namespace FastNest.Cli.Fuzzing;

/// <summary>Targets fed in turn, for a time or a number of runs each; what fails is written to files.</summary>
/// <param name="Targets">Which.</param>
/// <param name="Seed">Chooses the inputs.</param>
/// <param name="Seconds">For how long.</param>
/// <param name="Runs">How many inputs each target is fed, instead; a campaign of so many is the same each time.</param>
/// <param name="Corpus">A folder with a folder of inputs to begin with for each target, or null.</param>
/// <param name="Kept">A folder for inputs that were worth keeping, in the same form, or null.</param>
/// <param name="Findings">The folder for inputs that fail.</param>
internal sealed record FuzzCampaign(
    IReadOnlyList<IFuzzTarget> Targets, int Seed, int Seconds, int? Runs, string? Corpus, string? Kept, string Findings)
{
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(100);

    public FuzzReport Run(Output.WorkMeter meter)
    {
        FuzzLoop[] loops = [.. Targets.Select((target, i) => new FuzzLoop(target, unchecked(Seed * 31 + i), First(target)))];
        var spent = new TimeSpan[loops.Length];
        var clock = Stopwatch.StartNew();
        bool goesOn = true;
        while (goesOn)
        {
            goesOn = false;
            for (int i = 0; i < loops.Length; i++)
            {
                TimeSpan start = clock.Elapsed;
                while (!IsDone(loops[i], clock.Elapsed) && clock.Elapsed - start < Turn)
                {
                    loops[i].Step();
                }

                spent[i] += clock.Elapsed - start;
                goesOn |= !IsDone(loops[i], clock.Elapsed);
            }

            meter.Report(Runs is { } runs ? loops.Average(loop => (double)loop.Runs / runs) : clock.Elapsed.TotalSeconds / Seconds);
        }

        return new(Seed, clock.Elapsed.TotalSeconds, [.. loops.Select((loop, i) => Report(Targets[i], loop, spent[i]))]);
    }

    private bool IsDone(FuzzLoop loop, TimeSpan elapsed) =>
        loop.IsFull || (Runs is { } runs ? loop.Runs >= runs : elapsed.TotalSeconds >= Seconds);

    private IEnumerable<byte[]> First(IFuzzTarget target)
    {
        string? folder = Corpus is null ? null : Path.Combine(Corpus, target.Name);
        return folder is not null && Directory.Exists(folder)
            ? Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)
            : [];
    }

    private FuzzTargetReport Report(IFuzzTarget target, FuzzLoop loop, TimeSpan spent)
    {
        if (Kept is not null)
        {
            foreach (byte[] input in loop.Kept)
            {
                Write(Path.Combine(Kept, target.Name), "", input);
            }
        }

        return new(
            target.Name, loop.Runs, loop.Tally.Translations, loop.Tally.Translations / Math.Max(spent.TotalSeconds, 1e-9), loop.Tally.Operations,
            loop.Tally.Features, loop.Kept.Count, $"{loop.Tally.Trace:x16}", [.. loop.Findings.Select(Keep)]);
    }

    private FuzzFindingReport Keep(FuzzFinding finding) =>
        new(Write(Findings, $"{finding.Target}-", finding.Input.ToArray()), finding.Message);

    /// <summary>Writes an input to a file that is named after it.</summary>
    private static string Write(string folder, string prefix, byte[] input)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, prefix + Convert.ToHexStringLower(SHA256.HashData(input))[..16]);
        File.WriteAllBytes(path, input);
        return path;
    }
}
