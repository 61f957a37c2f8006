namespace FastNest.Iommufd;

/// <summary>The Linux error numbers that iommufd answers with.</summary>
public enum Errno
{
    /// <summary>No error.</summary>
    None = 0,

    /// <summary>The mapping, or the caller, does not allow it.</summary>
    EPERM = 1,

    /// <summary>An id or an IOVA is absent, or the id has the wrong type.</summary>
    ENOENT = 2,

    /// <summary>The driver judged a structure illegal.</summary>
    EIO = 5,

    /// <summary>No such offset to map.</summary>
    ENXIO = 6,

    /// <summary>A structure is longer than known, and its tail is not zero.</summary>
    E2BIG = 7,

    /// <summary>No such open file.</summary>
    EBADF = 9,

    /// <summary>Memory, or the limit of pinned pages, is exhausted.</summary>
    ENOMEM = 12,

    /// <summary>Memory of the process is not there.</summary>
    EFAULT = 14,

    /// <summary>The object is still used.</summary>
    EBUSY = 16,

    /// <summary>Something is there already.</summary>
    EEXIST = 17,

    /// <summary>The device is gone, or nothing is set.</summary>
    ENODEV = 19,

    /// <summary>Understood but wrong.</summary>
    EINVAL = 22,

    /// <summary>No such command.</summary>
    ENOTTY = 25,

    /// <summary>No hole is large enough.</summary>
    ENOSPC = 28,

    /// <summary>Not a position of this stream.</summary>
    ESPIPE = 29,

    /// <summary>Rounding leaves the range of numbers.</summary>
    ERANGE = 34,

    /// <summary>The owner of an access did not let go.</summary>
    EDEADLOCK = 35,

    /// <summary>A sum leaves the range of numbers.</summary>
    EOVERFLOW = 75,

    /// <summary>The caller's array is too short.</summary>
    EMSGSIZE = 90,

    /// <summary>A known field holds a value, flag or reserved bit that is not supported.</summary>
    EOPNOTSUPP = 95,

    /// <summary>Addresses that are needed are in use.</summary>
    EADDRINUSE = 98,
}
