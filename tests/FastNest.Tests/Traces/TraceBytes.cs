using System.Globalization;
using FastNest.Traces;

namespace FastNest.Tests.Traces;

/// <summary>Traces in memory, and records as text that says all of them.</summary>
internal static class TraceBytes
{
    public static TraceHeader Header { get; } = TraceHeader.Of(new());

    public static byte[] Of(TraceHeader header, IEnumerable<TraceRecord> records)
    {
        using var stream = new MemoryStream();
        using (var writer = new TraceWriter(stream, header))
        {
            foreach (TraceRecord record in records)
            {
                writer.Write(record);
            }
        }

        return stream.ToArray();
    }

    public static byte[] Of(params IEnumerable<TraceRecord> records) => Of(Header, records);

    public static List<TraceRecord> Read(byte[] trace) => Read(trace, out _);

    public static List<TraceRecord> Read(byte[] trace, out TraceHeader header)
    {
        using var stream = new MemoryStream(trace);
        var reader = new TraceReader(stream);
        header = reader.Header;
        List<TraceRecord> records = [];
        while (reader.Read() is { } record)
        {
            records.Add(record);
        }

        return records;
    }

    /// <summary>The same trace with one record changed.</summary>
    public static byte[] Change(byte[] trace, int index, Func<TraceRecord, TraceRecord> change)
    {
        List<TraceRecord> records = Read(trace, out TraceHeader header);
        records[index] = change(records[index]);
        return Of(header, records);
    }

    public static string Text(TraceRecord record) => record switch
    {
        MemoryWritten written => $"memory {written.Address:x} {Convert.ToHexString(written.Bytes.Span)}",
        RequestsTranslated batch => string.Create(
            CultureInfo.InvariantCulture,
            $"requests {batch.Port} {batch.IsBound} {string.Join('|', batch.Requests.ToArray())} {string.Join('|', batch.Answers.ToArray())}"),
        _ => (record with { Offset = 0 }).ToString(),
    };

    /// <summary>Plays a trace and gives back its records with what was answered.</summary>
    public static List<TraceRecord> Play(byte[] trace, Func<TraceHeader, TracePlayer> make)
    {
        List<TraceRecord> records = Read(trace, out TraceHeader header);
        using TracePlayer player = make(header);
        return [.. records.Select(player.Play)];
    }
}
