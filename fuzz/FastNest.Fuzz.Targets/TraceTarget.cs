using FastNest.Traces;

namespace FastNest.Fuzz.Targets;

/// <summary>A file that should be a trace: it is read and played, or refused by the one exception there is for that.</summary>
internal sealed class TraceTarget : IFuzzTarget
{
    private const ulong MemoryLimit = 64 << 20;

    public string Name => "trace";

    public string Description => "bytes of a recorded trace: read and played on a machine, or refused, nothing else";

    public void Run(ReadOnlyMemory<byte> input, FuzzTally tally)
    {
        try
        {
            var reader = new TraceReader(new MemoryStream(input.ToArray()));
            using var player = new TracePlayer(reader.Header, memoryLimit: MemoryLimit);
            while (reader.Read() is { } record)
            {
                tally.Operations++;
                player.Play(record);
                tally.Note((ulong)record.GetType().Name.Length);
            }
        }
        catch (TraceException exception)
        {
            tally.Note(exception.Message);
        }
    }
}
