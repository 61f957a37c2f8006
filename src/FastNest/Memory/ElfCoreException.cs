namespace FastNest.Memory;

/// <summary>A file is not a usable ELF core; the message names the file, the place and what was expected.</summary>
public sealed class ElfCoreException : Exception
{
    /// <summary>Makes the exception with its message.</summary>
    public ElfCoreException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the exception with its message and cause.</summary>
    public ElfCoreException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
