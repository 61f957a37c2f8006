using Xunit;

namespace FastNest.Tests.Fuzzing;

/// <summary>Every input that is kept with the sources passes its target.</summary>
public sealed class CorpusTests
{
    public static TheoryData<string, string> Inputs
    {
        get
        {
            var inputs = new TheoryData<string, string>();
            foreach (IFuzzTarget target in FuzzTargets.All)
            {
                foreach (string file in Directory.EnumerateFiles(Path.Combine(Corpus, target.Name)).Order(StringComparer.Ordinal))
                {
                    inputs.Add(target.Name, Path.GetFileName(file));
                }
            }

            return inputs;
        }
    }

    private static string Corpus
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(folder!.FullName, "FastNest.sln")))
            {
                folder = folder.Parent;
            }

            return Path.Combine(folder.FullName, "fuzz", "corpus");
        }
    }

    [Theory]
    [MemberData(nameof(Inputs))]
    public void AnInputPasses(string target, string file)
    {
        var tally = new FuzzTally();
        Assert.Null(FuzzLoop.Try(FuzzTargets.Find(target)!, File.ReadAllBytes(Path.Combine(Corpus, target, file)), tally));
        Assert.NotEqual(0, tally.Translations + tally.Operations);
    }

    /// <summary>Files of the readers are good ones in part: they are loaded, and played to their ends.</summary>
    [Fact]
    public void GoodFilesAreTaken()
    {
        var tally = new FuzzTally();
        FuzzTargets.Find("trace")!.Run(File.ReadAllBytes(Path.Combine(Corpus, "trace", "workload")), tally);
        Assert.Equal(1479, tally.Operations);
        var loaded = new FuzzTally();
        var refused = new FuzzTally();
        FuzzTargets.Find("elf")!.Run(File.ReadAllBytes(Path.Combine(Corpus, "elf", "two-segments")), loaded);
        refused.Note(2);
        Assert.Equal(refused.Trace, loaded.Trace); // two regions
    }
}
