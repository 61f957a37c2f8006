using FastNest.Cli.Fuzzing;
using FastNest.Reference;
using FastNest.Requests;
using FastNest.Tests.Properties;
using FsCheck.Xunit;
using Xunit;

namespace FastNest.Tests.Fuzzing;

/// <summary>The fuzzer itself: what it does follows from its seed, and what fails is found, shortened and written.</summary>
public sealed class FuzzLoopTests
{
    [Theory]
    [InlineData("translate", 12)]
    [InlineData("mmio", 12)]
    [InlineData("guests", 6)]
    [InlineData("elf", 200)]
    [InlineData("trace", 200)]
    public void TheSameSeedGivesTheSameRuns(string target, int runs)
    {
        FuzzTally first = Run(target, 5, runs);
        FuzzTally second = Run(target, 5, runs);
        Assert.Equal((first.Trace, first.Features, first.Translations, first.Operations), (second.Trace, second.Features, second.Translations, second.Operations));
        if (first.Features > 4)
        {
            Assert.NotEqual(first.Trace, Run(target, 6, runs).Trace);
        }
    }

    [Fact]
    public void WhatFailsIsFoundAndMadeShort()
    {
        var loop = new FuzzLoop(new Picky(), 1, []);
        for (int i = 0; i < 100_000 && !loop.IsFull; i++)
        {
            loop.Step();
        }

        Assert.True(loop.IsFull);
        Assert.All(loop.Findings, finding => Assert.Equal([0x42, 0x42], finding.Input.ToArray()));
        Assert.All(loop.Findings, static finding => Assert.Equal("found", finding.Message));
    }

    [Fact]
    public void InputsToBeginWithComeFirst()
    {
        var picky = new Picky();
        var loop = new FuzzLoop(picky, 1, [[1, 2, 3], [4]]);
        loop.Step();
        loop.Step();
        Assert.Equal([[1, 2, 3], [4]], picky.Seen);
        Assert.Equal([[1, 2, 3]], loop.Kept); // the other showed nothing new
    }

    [Fact]
    public void ACampaignWritesWhatItFound()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            var campaign = new FuzzCampaign([new Picky()], 3, 60, 2000, null, Path.Combine(folder, "kept"), folder);
            FuzzReport report = campaign.Run(new());
            Assert.Equal(report.Targets[0].Findings.Count, report.Findings);
            Assert.All(report.Targets[0].Findings, finding => Assert.Equal([0x42, 0x42], File.ReadAllBytes(finding.File)));
            Assert.NotEmpty(report.Targets[0].Findings);
            Assert.Single(Directory.EnumerateFiles(Path.Combine(folder, "kept", "picky")));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Bytes make the choices: the same the same ones, also behind their end, and each byte counts.</summary>
    [Property(Arbitrary = [typeof(Seed)], MaxTest = 30)]
    public void BytesAreChoices(Seed seed)
    {
        ArgumentNullException.ThrowIfNull(seed);
        byte[] bytes = new byte[64];
        new Random(seed.Value).NextBytes(bytes);
        ulong[] Draw(byte[] from)
        {
            var dice = new Dice(from);
            return [.. Enumerable.Range(0, 40).Select(i => i % 3 == 0 ? dice.Word() : (ulong)dice.Below(i % 3 == 1 ? 200 : 5000))];
        }

        ulong[] drawn = Draw(bytes);
        Assert.Equal(drawn, Draw([.. bytes]));
        bytes[8] ^= 1;
        ulong[] other = Draw(bytes);
        Assert.Equal(drawn[0], other[0]);
        Assert.Equal(drawn[2..], other[2..]);
        Assert.NotEqual(drawn[1], other[1]);
    }

    /// <summary>An answer that differs in anything that counts is another.</summary>
    [Fact]
    public void AnswersThatDifferAreNotTheSame()
    {
        var request = new TranslationRequest(new(1), 0x1234, Access.Read);
        using var machine = new RandomTables(new Dice(new byte[1]), consistent: true);
        var answers = new List<(TranslationRequest Request, ReferenceAnswer Expected, TranslationResult Result)>();
        using var port = machine.Twins.Engine.OpenPort();
        for (int i = 0; i < 300; i++)
        {
            request = machine.Request();
            answers.Add((request, machine.Twins.Reference.Translate(in request), port.Translate(in request)));
        }

        Assert.All(answers, one => Assert.True(Twins.IsSame(in one.Request, one.Expected, in one.Result)));
        (TranslationRequest asked, ReferenceAnswer granted, TranslationResult result) = answers.First(one => one.Result.Succeeded && !one.Result.IsMessage);
        TranslationResult[] wrong =
        [
            TranslationResult.Success(result.Address ^ 8, result.PageShift, result.Permissions, result.Domain),
            TranslationResult.Success(result.Address, (byte)(result.PageShift + 1), result.Permissions, result.Domain),
            TranslationResult.Success(result.Address, result.PageShift, result.Permissions ^ Access.Execute, result.Domain),
            answers.First(one => !one.Result.Succeeded).Result,
        ];
        Assert.True(Twins.IsSame(in asked, granted, TranslationResult.Success(result.Address, result.PageShift, result.Permissions, result.Domain)));
        Assert.All(wrong, one =>
        {
            Assert.False(Twins.IsSame(in asked, granted, in one));
            Assert.Throws<DisagreementException>(() => Twins.AssertSame(in asked, granted, in one, "here"));
        });
        (TranslationRequest faulted, ReferenceAnswer refused, _) = answers.First(one => one.Expected.Event is not null);
        Assert.False(Twins.IsSame(in faulted, refused, in result));
    }

    private static FuzzTally Run(string target, int seed, int runs)
    {
        var loop = new FuzzLoop(FuzzTargets.Find(target)!, seed, []);
        for (int i = 0; i < runs; i++)
        {
            loop.Step();
        }

        Assert.Empty(loop.Findings);
        return loop.Tally;
    }

    /// <summary>Fails on two bytes.</summary>
    private sealed class Picky : IFuzzTarget
    {
        public string Name => "picky";

        public string Description => "fails on 42h 42h";

        public List<byte[]> Seen { get; } = [];

        public void Run(ReadOnlyMemory<byte> input, FuzzTally tally)
        {
            Seen.Add(input.ToArray());
            tally.Operations++;
            tally.Note(1);
            if (input.Span.IndexOf((ReadOnlySpan<byte>)[0x42, 0x42]) >= 0)
            {
                throw new DisagreementException("found");
            }
        }
    }
}
