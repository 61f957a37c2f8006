using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace FastNest.Iommufd.Ioctls;

/// <summary>The rules of sizes that every command follows (Linux copy_struct_from_user, drivers/iommu/iommufd/main.c).</summary>
internal static class IoctlFrame
{
    /// <summary>Takes a structure of any version, carries it out, and answers in as much of it as the caller knows.</summary>
    /// <param name="argument">The caller's memory; its first four bytes say how many there are.</param>
    /// <param name="caller">Who calls.</param>
    /// <exception cref="IommufdException">EINVAL: too short for the command. EFAULT: longer than the memory. E2BIG: says what is not known.</exception>
    public static Errno Run<T>(Span<byte> argument, in IoctlCaller caller)
        where T : unmanaged, IIoctl
    {
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(argument);
        if (size < T.MinimumSize)
        {
            throw new IommufdException(Errno.EINVAL, "size", size, $"must be at least {T.MinimumSize}");
        }

        if (size > argument.Length)
        {
            throw new IommufdException(Errno.EFAULT, "size", size, $"the caller's memory ends after {argument.Length} bytes");
        }

        int known = Math.Min((int)size, Unsafe.SizeOf<T>());
        if (argument[known..(int)size].ContainsAnyExcept((byte)0))
        {
            throw new IommufdException(Errno.E2BIG, "size", size, $"what is beyond {known} bytes must be zero");
        }

        T call = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<T>(ref call))[..known];
        argument[..known].CopyTo(bytes);
        Errno errno = call.Run(in caller);
        bytes.CopyTo(argument);
        return errno;
    }
}
