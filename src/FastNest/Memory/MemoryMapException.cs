namespace FastNest.Memory;

/// <summary>A region cannot be mapped as asked; the message names the value, the limit and the field.</summary>
public sealed class MemoryMapException : Exception
{
    /// <summary>Makes the exception with its message.</summary>
    public MemoryMapException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with its message and cause.</summary>
    public MemoryMapException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
