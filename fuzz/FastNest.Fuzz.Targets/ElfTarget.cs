using FastNest.Memory;

namespace FastNest.Fuzz.Targets;

/// <summary>A file that should be an ELF core: it is loaded, or refused by the one exception there is for that.</summary>
internal sealed class ElfTarget : IFuzzTarget
{
    private static int s_files;

    public string Name => "elf";

    public string Description => "bytes of an ELF core file: loaded or refused, nothing else";

    public void Run(ReadOnlyMemory<byte> input, FuzzTally tally)
    {
        string path = Path.Combine(Path.GetTempPath(), $"fastnest-fuzz-{Environment.ProcessId}-{Interlocked.Increment(ref s_files)}.elf");
        File.WriteAllBytes(path, input.Span);
        try
        {
            using var space = new GuestPhysicalSpace();
            tally.Note((ulong)ElfCore.Load(path, space).Count);
        }
        catch (ElfCoreException exception)
        {
            tally.Note(exception.Message);
        }
        finally
        {
            File.Delete(path);
        }

        tally.Operations++;
    }
}
