using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>What a trace came to; its JSON form is a contract.</summary>
internal sealed record RecordReport(string Trace, string Host, long Records, long Requests, long Bytes, double BytesPerRequest)
{
    /// <summary>The report of a machine whose trace has ended.</summary>
    public static RecordReport Of(string path, string host, RecordedMachine machine) => new(
        Path.GetFileName(path),
        host,
        machine.Records,
        machine.Requests,
        machine.Length,
        Math.Round((double)machine.Length / Math.Max(1, machine.Requests), 2));
}
