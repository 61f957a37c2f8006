namespace FastNest.Traces;

/// <summary>A trace cannot be read or played; the message names the place in it, the field and what was expected.</summary>
public sealed class TraceException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="offset">Bytes from the start of the trace to the field, or to the record that holds it.</param>
    /// <param name="field">The field, as the format's description names it.</param>
    /// <param name="problem">What was expected, with the limit, and what was found.</param>
    /// <param name="innerException">What was wrong below, if anything.</param>
    public TraceException(long offset, string field, string problem, Exception? innerException = null)
        : base($"offset 0x{offset:x}: field \"{field}\": {problem}", innerException)
    {
        Offset = offset;
        Field = field;
    }

    /// <summary>Bytes from the start of the trace.</summary>
    public long Offset { get; }

    /// <summary>The field, as the format's description names it.</summary>
    public string Field { get; }
}
