namespace FastNest.Iommufd.Ioctls;

/// <summary>A command's structure, laid out as the kernel's, that carries itself out and holds the answer afterwards.</summary>
internal interface IIoctl
{
    /// <summary>Bytes that callers of every version give.</summary>
    static abstract int MinimumSize { get; }

    /// <summary>Does what is asked.</summary>
    /// <returns>None, or what went wrong where the caller is answered all the same.</returns>
    /// <exception cref="IommufdException">What went wrong; the caller's structure stays as it is.</exception>
    Errno Run(in IoctlCaller caller);
}
