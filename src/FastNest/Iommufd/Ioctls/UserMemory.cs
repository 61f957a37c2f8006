using FastNest.Memory;

namespace FastNest.Iommufd.Ioctls;

/// <summary>Reads and writes what pointers in structures point at, any bytes of a process.</summary>
internal static class UserMemory
{
    /// <exception cref="IommufdException">EFAULT: some of it is not there.</exception>
    public static void Read(UserAddressSpace process, ulong address, Span<byte> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            ulong physical = Find(process, address, done, destination.Length, write: false, out int run);
            MemoryStatus status = process.Memory.Read(physical, destination.Slice(done, run), out _);
            Require(status, address, done);
            done += run;
        }
    }

    /// <exception cref="IommufdException">EFAULT: some of it is not there, or may not be written; what is before it may be.</exception>
    public static void Write(UserAddressSpace process, ulong address, ReadOnlySpan<byte> source)
    {
        for (int done = 0; done < source.Length;)
        {
            ulong physical = Find(process, address, done, source.Length, write: true, out int run);
            MemoryStatus status = process.Memory.Write(physical, source.Slice(done, run), out _);
            Require(status, address, done);
            done += run;
        }
    }

    /// <exception cref="IommufdException">EFAULT: some of it is not there, or may not be written.</exception>
    public static void RequireWritable(UserAddressSpace process, ulong address, int length)
    {
        for (int done = 0; done < length;)
        {
            Find(process, address, done, length, write: true, out int run);
            done += run;
        }
    }

    private static ulong Find(UserAddressSpace process, ulong address, int done, int length, bool write, out int run)
    {
        ulong from = address + (ulong)done;
        if (from < address)
        {
            throw new IommufdException(Errno.EFAULT, "pointer", address, $"{length} bytes end beyond 2^64");
        }

        ulong offset = from % PageSource.PageSize;
        ulong pages = ((ulong)(length - done) + offset + PageSource.PageSize - 1) / PageSource.PageSize;
        process.Source.Find(from - offset, pages, write, out SourceRun found);
        run = (int)Math.Min((ulong)(length - done), found.Pages * PageSource.PageSize - offset);
        return found.Physical + offset;
    }

    private static void Require(MemoryStatus status, ulong address, int done)
    {
        if (status != MemoryStatus.Ok)
        {
            throw new IommufdException(Errno.EFAULT, "pointer", address + (ulong)done, $"the memory there is gone: {status}");
        }
    }
}
