using FastNest.Cli.Captures;
using FastNest.Traces;

namespace FastNest.Cli.Traces;

/// <summary>A file that holds a trace.</summary>
internal static class TraceFile
{
    /// <summary>Writes one; a failure leaves none.</summary>
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
    public static T Read<T>(string path, Func<TraceReader, T> work)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            return work(new(stream));
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
