namespace FastNest.Iommufd.Ioctls;

/// <summary>Who calls.</summary>
/// <param name="Context">The context whose file was called.</param>
/// <param name="Process">The process: pointers in structures are its addresses.</param>
internal readonly record struct IoctlCaller(IommufdContext Context, UserAddressSpace Process)
{
    /// <summary>The object of an id.</summary>
    /// <exception cref="IommufdException">ENOENT: no such id, or another type.</exception>
    public T Find<T>(uint id, string field)
        where T : IommufdObject => Context.Objects.Find<T>(id, field);

    /// <summary>Refuses what must be zero.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: it is not.</exception>
    public static void RequireZero(string field, ulong value) => RequireKnown(field, value, 0);

    /// <summary>Refuses flags that are not known.</summary>
    /// <exception cref="IommufdException">EOPNOTSUPP: one is set.</exception>
    public static void RequireKnown(string field, ulong value, ulong known)
    {
        if ((value & ~known) != 0)
        {
            throw new IommufdException(Errno.EOPNOTSUPP, field, value, $"only 0x{known:x} may be set");
        }
    }
}
