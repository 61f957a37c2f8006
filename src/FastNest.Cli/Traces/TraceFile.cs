using FastNest.Cli.Captures;
using FastNest.Cli.Output;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>A file that holds a trace.</summary>
internal static class TraceFile
{
    /// <summary>Writes one; a capture that is refused on the way leaves none.</summary>
    public static RecordReport Write(string path, Func<Stream, RecordReport> record)
    {
        try
        {
            using FileStream stream = File.Create(path);
            return record(stream);
        }
        catch (CaptureException)
        {
            File.Delete(path);
            throw;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CaptureException($"{path}: expected a file that can be written: {exception.Message}", exception);
        }
    }

    /// <summary>Reads one from its start.</summary>
    /// <param name="path">The file.</param>
    /// <param name="meter">Told of the progress.</param>
    /// <param name="work">What is done with it; it calls its second argument now and then, for the meter.</param>
    public static T Read<T>(string path, WorkMeter meter, Func<TraceReader, Action, T> work)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            var reader = new TraceReader(stream);
            double length = Math.Max(1, stream.CanSeek ? stream.Length : 1);
            return work(reader, () => meter.Report(reader.Position / length));
        }
        catch (TraceException exception)
        {
            throw new CaptureException($"{path}: {exception.Message}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CaptureException($"{path}: expected a trace that can be read: {exception.Message}", exception);
        }
    }
}
