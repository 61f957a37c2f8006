using FastNest.Iommufd.Ioctls;

namespace FastNest.Iommufd;

/// <content>The kernel's binary interface over the same objects, so that programs written for it can be carried over.</content>
public sealed partial class IommufdContext
{
    private Ioas? _vfioIoas;

    internal FileTable Files { get; } = new();

    /// <summary>What IOMMU_VFIO_IOAS set, unless it is destroyed.</summary>
    internal Ioas? VfioIoas
    {
        get => Volatile.Read(ref _vfioIoas) is { IsDestroyed: false } ioas ? ioas : null;
        set => Volatile.Write(ref _vfioIoas, value);
    }

    /// <summary>
    /// Carries a command out that is given as ioctl() takes it: a command word and a structure, both laid out as in Linux
    /// include/uapi/linux/iommufd.h, little-endian. Never throws for what a caller puts in. Calls of VFIO's type 1 container
    /// (include/uapi/linux/vfio.h) are taken as well, for the IOAS that IOMMU_VFIO_IOAS set.
    /// </summary>
    /// <param name="command">_IO(';', number).</param>
    /// <param name="argument">The structure, of any version; it holds the answer afterwards. Where it ends, so does the caller's memory.
    /// Where ioctl() takes a number in place of a pointer (VFIO_CHECK_EXTENSION, VFIO_SET_IOMMU), its 4 or 8 bytes.</param>
    /// <param name="caller">The process that calls, whose addresses the pointers are; null for <see cref="Process"/>.</param>
    /// <returns>0, or the negative of an <see cref="Errno"/>; of VFIO_CHECK_EXTENSION 1 for yes.</returns>
    /// <exception cref="ObjectDisposedException">The context is closed.</exception>
    public int Ioctl(uint command, Span<byte> argument, UserAddressSpace? caller = null)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _closed) != 0, this);
        try
        {
            var called = new IoctlCaller(this, caller ?? Process);
            return IoctlTable.Has(command)
                ? -(int)IoctlTable.Run(command, argument, in called)
                : VfioTable.Run(command, argument, in called);
        }
        catch (IommufdException exception)
        {
            return -(int)exception.Errno;
        }
    }

    /// <summary>Gives a memory file a number, for IOMMU_IOAS_MAP_FILE.</summary>
    /// <param name="file">The file; <see cref="CloseFile"/> disposes it.</param>
    /// <returns>The lowest number that is free.</returns>
    public int OpenFile(MemoryFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return Files.Open(file);
    }

    /// <summary>Reads from a fault queue's or an event queue's file; never waits.</summary>
    /// <param name="fd">Its number.</param>
    /// <param name="destination">Receives whole records.</param>
    /// <returns>How many bytes, or the negative of an <see cref="Errno"/>: EBADF, ESPIPE.</returns>
    public int ReadFile(int fd, Span<byte> destination)
    {
        try
        {
            return Files.Find<object>(fd) switch
            {
                FaultQueue faults => faults.Read(destination),
                EventQueue events => events.Read(destination),
                _ => -(int)Errno.EINVAL,
            };
        }
        catch (IommufdException exception)
        {
            return -(int)exception.Errno;
        }
    }

    /// <summary>Answers page requests through a fault queue's file.</summary>
    /// <param name="fd">Its number.</param>
    /// <param name="source">The answers.</param>
    /// <returns>How many bytes were taken, or the negative of an <see cref="Errno"/>: EBADF, EINVAL, ESPIPE.</returns>
    public int WriteFile(int fd, ReadOnlySpan<byte> source)
    {
        try
        {
            return Files.Find<object>(fd) is FaultQueue faults ? faults.Write(source) : -(int)Errno.EINVAL;
        }
        catch (IommufdException exception)
        {
            return -(int)exception.Errno;
        }
    }

    /// <summary>Whether a file can be read without being empty: what poll() tells. Fault queues can always be written.</summary>
    /// <param name="fd">Its number.</param>
    /// <returns>1 or 0, or the negative of an <see cref="Errno"/>: EBADF.</returns>
    public int PollFile(int fd)
    {
        try
        {
            return Files.Find<object>(fd) switch
            {
                FaultQueue faults => faults.IsReadable ? 1 : 0,
                EventQueue events => events.IsReadable ? 1 : 0,
                _ => 1,
            };
        }
        catch (IommufdException exception)
        {
            return -(int)exception.Errno;
        }
    }

    /// <summary>Closes a file: only now can a queue be destroyed; a memory file's mappings stay.</summary>
    /// <param name="fd">Its number.</param>
    /// <returns>0, or the negative of an <see cref="Errno"/>: EBADF.</returns>
    public int CloseFile(int fd)
    {
        try
        {
            switch (Files.Close(fd))
            {
                case FaultQueue faults:
                    faults.Close();
                    break;
                case EventQueue events:
                    events.Close();
                    break;
                case MemoryFile file:
                    file.Dispose();
                    break;
            }

            return 0;
        }
        catch (IommufdException exception)
        {
            return -(int)exception.Errno;
        }
    }
}
