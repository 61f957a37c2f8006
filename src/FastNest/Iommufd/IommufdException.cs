namespace FastNest.Iommufd;

/// <summary>A call failed as the kernel's would; nothing was changed unless the call's documentation says so.</summary>
public sealed class IommufdException : Exception
{
    /// <summary>Makes the exception of a field whose value breaks a rule.</summary>
    /// <param name="errno">What the kernel would answer.</param>
    /// <param name="field">The field, as iommufd names it.</param>
    /// <param name="value">Its value.</param>
    /// <param name="rule">What the value must be, with the limit.</param>
    public IommufdException(Errno errno, string field, ulong value, string rule)
        : base($"{errno}: {field} 0x{value:x}: {rule}")
    {
        Errno = errno;
        Field = field;
        Value = value;
    }

    /// <summary>What the kernel would answer.</summary>
    public Errno Errno { get; }

    /// <summary>The field at fault, as iommufd names it.</summary>
    public string Field { get; }

    /// <summary>The field's value.</summary>
    public ulong Value { get; }
}
