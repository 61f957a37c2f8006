using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Properties;

/// <summary>
/// Tables of both stages, PASID tables and device entries that change, invalidations of every kind, settings and marks:
/// ports with caches of all sizes give answers that <see cref="FastNest.Reference.ReferenceHistory"/> allows, and one
/// without caches the present state's. To replay, see <see cref="Seed"/>.
/// </summary>
public sealed class HistoryProperties
{
    private const int Steps = 300;

    [Property(Arbitrary = [typeof(Seed)], MaxTest = 120)]
    public void EveryAnswerIsAllowed(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        using HistoryMachine machine = Run(seed.Value);
    }

    /// <summary>A damaged entry led to the page where completions are stored.</summary>
    [Fact]
    public void WhatWasFoundOnceIsAllowed() => Run(858647136).Dispose();

    /// <summary>Were no answer stale, or none granted, the property would prove little.</summary>
    [Fact]
    public void AnswersAreStaleNowAndThen()
    {
        var stale = new Dictionary<int, int>();
        (int answers, int granted, int nested) = (0, 0, 0);
        for (int seed = 0; seed < 30; seed++)
        {
            using HistoryMachine machine = Run(seed);
            for (int port = 0; port < machine.Stale.Length; port++)
            {
                stale[port] = stale.GetValueOrDefault(port) + machine.Stale[port];
            }

            answers += machine.Answers;
            granted += machine.Granted;
            nested += machine.StaleNested;
        }

        string counts = $"of {answers} answers {granted} granted, stale by port: {string.Join(", ", stale)}, with PASID {nested}";
        Assert.True(stale.Where(static s => s.Key != HistoryMachine.Uncached).All(static s => s.Value > 50), counts);
        Assert.True(granted * 4 > answers && nested > 400, counts);
    }

    private static HistoryMachine Run(int seed)
    {
        var machine = new HistoryMachine(new Dice(seed));
        for (int step = 0; step < Steps; step++)
        {
            machine.Step(step);
        }

        return machine;
    }
}
