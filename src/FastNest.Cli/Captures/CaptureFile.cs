namespace FastNest.Cli.Captures;

/// <summary>Reads the files of a capture; what goes wrong names the file.</summary>
internal static class CaptureFile
{
    public delegate T RecordReader<T>(ref StrictReader json);

    public static byte[] ReadAll(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CaptureException($"{path}: expected this file in the capture folder, it is missing", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CaptureException($"{path}: expected a readable file: {exception.Message}", exception);
        }
    }

    /// <summary>Reads one JSON object a line.</summary>
    public static List<T> ReadLines<T>(string path, RecordReader<T> read)
    {
        ReadOnlySpan<byte> text = ReadAll(path);
        List<T> records = [];
        for (int line = 1; !text.IsEmpty; line++)
        {
            int end = text.IndexOf((byte)'\n');
            var json = new StrictReader(end < 0 ? text : text[..end], path, line);
            records.Add(read(ref json));
            json.End();
            text = end < 0 ? default : text[(end + 1)..];
        }

        return records;
    }
}
