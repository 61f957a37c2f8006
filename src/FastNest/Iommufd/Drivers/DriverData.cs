namespace FastNest.Iommufd.Drivers;

/// <summary>Data of a driver's own form.</summary>
/// <param name="Type">Which form; 0 is none.</param>
/// <param name="Bytes">The structure, as the caller gave it.</param>
internal readonly record struct DriverData(uint Type, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Checks form and length, and gives the structure in full: what the caller left out is zero.</summary>
    /// <param name="type">The form that the driver wants.</param>
    /// <param name="minimum">The shortest structure ever known.</param>
    /// <param name="full">Receives the structure.</param>
    /// <exception cref="IommufdException">EOPNOTSUPP: another form. EINVAL: too short, or longer than the driver knows.</exception>
    public void CopyTo(uint type, int minimum, Span<byte> full)
    {
        if (Type != type)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, "data_type", Type, $"must be {type}");
        }

        if (Bytes.Length < minimum || Bytes.Length > full.Length)
        {
            throw new IommufdException(Errno.EINVAL, "data_len", (ulong)Bytes.Length, $"must be {minimum} to {full.Length}");
        }

        full.Clear();
        Bytes.Span.CopyTo(full);
    }
}
