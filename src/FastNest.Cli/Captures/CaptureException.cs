namespace FastNest.Cli.Captures;

/// <summary>Input that cannot be used; the message is one line that names the file, the place in it and what was expected.</summary>
internal sealed class CaptureException : Exception
{
    public CaptureException(string message)
        : base(message)
    {
    }

    public CaptureException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    public CaptureException(string file, int line, string problem)
        : base($"{file}:{line}: {problem}")
    {
    }
}
